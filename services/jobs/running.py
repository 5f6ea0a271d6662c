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
    AddressUnavailable,
    AfterimageError,
    AssetNotFound,
    CollectionNotFound,
    DatabaseUnavailable,
    IndexBusy,
    IndexMismatch,
    JobNotFound,
    JobNotHeld,
    MemoryMismatch,
    NotAllowed,
    QueryError,
    SettingsError,
    SourceError,
)
from services.jobs.holding import Held, WorkerStopping
from services.jobs.leases import Leases
from services.jobs.types import IndexResult, Job, Result

_log = logging.getLogger(__name__)
_FOR_GOOD = (
    *(SourceError, NotAllowed, AssetNotFound, CollectionNotFound, IndexMismatch, MemoryMismatch, QueryError),
    SettingsError,
)
"""What another attempt meets again."""
_TOLD = (SourceError, NotAllowed, AssetNotFound, CollectionNotFound, QueryError, AddressUnavailable, MemoryMismatch)
"""What is told of a job. All else says how the archive is run: addresses, paths, a database's words."""
_BUSY_S = 5.0
"""Until a job that found the archive in use comes again."""
_PAUSE_S = 0.5

Report = Callable[[str, float, float | None], None]
"""Called at checkpoints: of what, what is done, how much there is. What it raises ends the work."""


class Work(Protocol):
    """Does what a job asks for."""

    def do(self, job: Job, report: Report) -> Result: ...


class Runner:
    """Runs jobs by their ids, each in the thread that calls; `stop` has all of them given back at their checkpoints."""

    def __init__(self, leases: Leases, work: Work) -> None:
        self._leases, self._work, self._stopping = leases, work, Event()
        self._name = f"{socket.gethostname()}:{os.getpid()}"

    def stop(self) -> None:
        """Take no more jobs, and give back those that are under way, at their next checkpoints."""
        self._stopping.set()

    def run(self, job_id: str) -> None:
        """Do a job, unless it is another worker's, at its end, or forgotten: ids may come late, and twice.

        Errors: DatabaseUnavailable where the job cannot be claimed; it stays queued.
        """
        if self._stopping.is_set():
            return
        try:
            job = self._leases.claim(job_id, self._name)
        except (JobNotHeld, JobNotFound) as error:
            _log.debug("not run: %s", error)
            return
        with Held(self._leases, job, self._stopping) as held:
            end = self._end_of(held)
            self._record(held, end)

    def _end_of(self, held: Held) -> Callable[[Job], Job]:
        """Do the work; gives what is to be recorded of it."""
        leases = self._leases
        try:
            result = self._work.do(held.job, held.report)
        except WorkerStopping:
            return lambda job: leases.give_back(job, "the worker was stopped")
        except IndexBusy as error:
            said = str(error)
            return lambda job: leases.give_back(job, said, _BUSY_S)
        except _FOR_GOOD as error:
            said = _said(held.job, error)
            return lambda job: leases.fail(job, said)
        except Exception as error:  # noqa: BLE001 (a job must not be lost to what nobody thought of)
            said = _said(held.job, error)
            return lambda job: leases.try_again(job, said)
        if isinstance(result, IndexResult) and (wrong := result.wrong()):
            return lambda job: leases.fail(job, wrong, result)
        return lambda job: leases.finish(job, result)

    def _record(self, held: Held, end: Callable[[Job], Job]) -> None:
        """Write the end down; while the database is away, again and again until the lease has run out."""
        deadline = time.monotonic() + self._leases.lease_s
        while True:
            try:
                job = end(held.job)
                _log.info("job %s: %s%s", job.id, job.state, f" ({job.error})" if job.error else "")
                return
            except JobNotHeld as error:
                _log.info("%s", error)
                return
            except DatabaseUnavailable as error:
                if time.monotonic() > deadline:
                    _log.warning("job %s: its end cannot be written down: %s", held.job.id, error)
                    return
                time.sleep(_PAUSE_S)


def _said(job: Job, error: Exception) -> str:
    """What everyone may know of an error who sees the job: where the server is at fault, only that it is."""
    if isinstance(error, _TOLD):
        return str(error)
    foreseen = isinstance(error, AfterimageError | OSError)
    _log.error("job %s: %s: %s", job.id, type(error).__name__, error, exc_info=None if foreseen else error)
    return f"{type(error).__name__}: the worker's log has more under the id of this job"
