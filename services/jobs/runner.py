"""Runner of jobs: claim, heartbeat, handle, and record the outcome."""

from __future__ import annotations

import logging
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
from services.jobs.worker_registry import worker_name
from services.structured_logging import bind_job_id
from services.tracing import open_span

_log = logging.getLogger(__name__)
_PERMANENT_ERRORS = (
    *(SourceError, SourceForbidden, AssetNotFound, CollectionNotFound, IndexMismatch, MemoryMismatch, InvalidInput),
    SettingsError,
)
"""Errors that another attempt would meet again, so that the job fails at once."""
_PUBLIC_ERRORS = (
    SourceError,
    SourceForbidden,
    AssetNotFound,
    CollectionNotFound,
    InvalidInput,
    RemoteUnavailable,
    MemoryMismatch,
)
"""Errors whose text a job shows (decision 0068); others may disclose addresses, paths or the database's messages."""
_BUSY_DELAY_S = 5.0
"""Chosen: seconds until a job that did not get the write lock is due again; less would only wait more often."""
_RECORD_RETRY_S = 0.5
"""Chosen: seconds between attempts to record an outcome while the database is away."""

JobProgressCallback = Callable[[str, float, float | None], None]
"""Called at checkpoints with a note, the amount done and the total (None: unknown); what it raises ends the work."""


class JobHandler(Protocol):
    """Runs the work of a job."""

    def handle(self, job: Job, report: JobProgressCallback) -> JobResult:
        """Run a job and return its result, reporting progress at checkpoints."""
        ...


class JobRunner:
    """Runs jobs by id in the calling thread; `stop` makes running jobs release at their next checkpoint."""

    def __init__(self, leases: Leases, handler: JobHandler) -> None:
        self._leases, self._handler, self._stop_event = leases, handler, Event()
        self._worker_name = worker_name()

    def stop(self) -> None:
        """Claim no more jobs, and release running ones at their next checkpoint."""
        self._stop_event.set()

    def run(self, job_id: str) -> None:
        """Run a job if it can be claimed; late and duplicate ids do nothing.

        Errors: DatabaseUnavailable if the job cannot be claimed; it stays queued.
        """
        if self._stop_event.is_set():
            return
        try:
            job = self._leases.claim(job_id, self._worker_name)
        except (LeaseLost, JobNotFound) as error:
            _log.debug("job not run: %s", error)
            return
        with bind_job_id(job.id), open_span(f"job {job.kind}", job.traceparent, job=job.id):
            _log.info("job %s: %s, claim %d", job.id, job.kind, job.fencing_token)
            with HeldJob(self._leases, job, self._stop_event) as held_job:
                apply_outcome = self._execute(held_job)
                self._record_outcome(held_job, apply_outcome)

    def _execute(self, held_job: HeldJob) -> Callable[[Job], Job]:
        """Run the handler; return the transition that records its outcome."""
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
        except Exception as error:  # noqa: BLE001 (no error may leave the job without an outcome)
            message = _public_message(held_job.job, error)
            return lambda job: leases.retry_with_backoff(job, message)
        if isinstance(result, IndexResult) and (reason := result.describe_failure()):
            return lambda job: leases.fail(job, reason, result)
        return lambda job: leases.finish(job, result)

    def _record_outcome(self, held_job: HeldJob, apply_outcome: Callable[[Job], Job]) -> None:
        """Record the outcome, retrying while the database is away until the lease has expired."""
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
                    _log.warning("job %s: its outcome cannot be recorded: %s", held_job.job.id, error)
                    return
                time.sleep(_RECORD_RETRY_S)


def _public_message(job: Job, error: Exception) -> str:
    """Return the error text for readers of the job: of a fault of the server only its kind; the log has the rest."""
    if isinstance(error, _PUBLIC_ERRORS):
        return str(error)
    is_expected = isinstance(error, AfterimageError | OSError)
    _log.error("job %s: %s: %s", job.id, type(error).__name__, error, exc_info=None if is_expected else error)
    return f"{type(error).__name__}: the worker's log has more under the id of this job"
