"""`Runner`: takes one job after the other, has it done, and says how it ended."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from threading import Event
from typing import Protocol

from indexer.errors import (
    AfterimageError,
    AssetNotFound,
    IndexMismatch,
    InvalidInput,
    SettingsError,
    SourceError,
    WriteLockTimeout,
)
from memory.errors import MemoryMismatch
from services.catalog.errors import CollectionNotFound
from services.database.errors import DatabaseUnavailable
from services.egress.errors import RemoteUnavailable, SourceForbidden
from services.jobs.errors import JobNotFound, LeaseLost
from services.jobs.heartbeat import HeldJob, WorkerStopping
from services.jobs.leases import Leases
from services.jobs.types import IndexResult, Job, JobResult

_log = logging.getLogger(__name__)
_PERMANENT_ERRORS = (
    *(SourceError, SourceForbidden, AssetNotFound, CollectionNotFound, IndexMismatch, MemoryMismatch, InvalidInput),
    SettingsError,
)
"""What another attempt meets again."""
_PUBLIC_ERRORS = (
    SourceError,
    SourceForbidden,
    AssetNotFound,
    CollectionNotFound,
    InvalidInput,
    RemoteUnavailable,
    MemoryMismatch,
)
"""What is told of a job. All else says how the archive is run: addresses, paths, a database's words."""
_BUSY_DELAY_S = 5.0
"""Until a job that found the archive in use comes again."""
_RECORD_RETRY_S = 0.5

JobProgressCallback = Callable[[str, float, float | None], None]
"""Called at checkpoints: of what, what is done, how much there is. What it raises ends the work."""


class JobHandler(Protocol):
    """Does what a job asks for."""

    def handle(self, job: Job, report: JobProgressCallback) -> JobResult: ...


class JobRunner:
    """Runs jobs by their ids, each in the thread that calls; `stop` has all of them given back at their checkpoints."""

    def __init__(self, leases: Leases, handler: JobHandler) -> None:
        self._leases, self._handler, self._stop_event = leases, handler, Event()
        self._worker_name = f"{socket.gethostname()}:{os.getpid()}"

    def stop(self) -> None:
        """Take no more jobs, and give back those that are under way, at their next checkpoints."""
        self._stop_event.set()

    def run(self, job_id: str) -> None:
        """Do a job, unless it is another worker's, at its end, or forgotten: ids may come late, and twice.

        Errors: DatabaseUnavailable where the job cannot be claimed; it stays queued.
        """
        if self._stop_event.is_set():
            return
        try:
            job = self._leases.claim(job_id, self._worker_name)
        except (LeaseLost, JobNotFound) as error:
            _log.debug("not run: %s", error)
            return
        with HeldJob(self._leases, job, self._stop_event) as held_job:
            apply_outcome = self._execute(held_job)
            self._record_outcome(held_job, apply_outcome)

    def _execute(self, held_job: HeldJob) -> Callable[[Job], Job]:
        """Do the work; gives what is to be recorded of it."""
        leases = self._leases
        try:
            result = self._handler.handle(held_job.job, held_job.report)
        except WorkerStopping:
            return lambda job: leases.release(job, "the worker was stopped")
        except WriteLockTimeout as error:
            message = str(error)
            return lambda job: leases.release(job, message, _BUSY_DELAY_S)
        except _PERMANENT_ERRORS as error:
            message = _public_message(held_job.job, error)
            return lambda job: leases.fail(job, message)
        except Exception as error:  # noqa: BLE001 (a job must not be lost to what nobody thought of)
            message = _public_message(held_job.job, error)
            return lambda job: leases.retry_with_backoff(job, message)
        if isinstance(result, IndexResult) and (reason := result.describe_failure()):
            return lambda job: leases.fail(job, reason, result)
        return lambda job: leases.finish(job, result)

    def _record_outcome(self, held_job: HeldJob, apply_outcome: Callable[[Job], Job]) -> None:
        """Write the end down; while the database is away, again and again until the lease has run out."""
        deadline = time.monotonic() + self._leases.lease_s
        while True:
            try:
                job = apply_outcome(held_job.job)
                _log.info("job %s: %s%s", job.id, job.state, f" ({job.error})" if job.error else "")
                return
            except LeaseLost as error:
                _log.info("%s", error)
                return
            except DatabaseUnavailable as error:
                if time.monotonic() > deadline:
                    _log.warning("job %s: its end cannot be written down: %s", held_job.job.id, error)
                    return
                time.sleep(_RECORD_RETRY_S)


def _public_message(job: Job, error: Exception) -> str:
    """What everyone may know of an error who sees the job: where the server is at fault, only that it is."""
    if isinstance(error, _PUBLIC_ERRORS):
        return str(error)
    foreseen = isinstance(error, AfterimageError | OSError)
    _log.error("job %s: %s: %s", job.id, type(error).__name__, error, exc_info=None if foreseen else error)
    return f"{type(error).__name__}: the worker's log has more under the id of this job"
