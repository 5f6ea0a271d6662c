"""Heartbeats of a running job: they renew its lease, record progress and detect cancellation."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from threading import Event, Lock
from types import TracebackType

from indexer.errors import AfterimageError
from services.jobs.errors import LeaseLost
from services.jobs.leases import Leases
from services.jobs.periodic_task import PeriodicTask
from services.jobs.types import Job, JobProgress

_log = logging.getLogger(__name__)
_HEARTBEATS_PER_LEASE = 4
"""Chosen: three heartbeats in a row may be lost; more would write to the database more often."""
_PROGRESS_INTERVAL_S = 1.0
"""Chosen: progress as fine as a person watches it; finer would write to the database more often."""


class WorkerStopping(Exception):
    """Control flow: the worker is stopping and releases the job. No AfterimageError, so that no handler catches it."""


class HeldJob:
    """Job held by this worker: heartbeats in the background keep its lease; handlers call `report` at checkpoints.

    The work survives a database outage that is shorter than the lease.
    """

    def __init__(self, leases: Leases, job: Job, stop_event: Event) -> None:
        self._leases, self._stop_event, self._job = leases, stop_event, job
        self._progress, self._lock = job.progress, Lock()
        self._lease_lost: LeaseLost | None = None
        self._renewed_at = self._reported_at = time.monotonic()
        self._heartbeat_task = PeriodicTask("heartbeat", leases.lease_s / _HEARTBEATS_PER_LEASE, self._heartbeat)

    def __enter__(self) -> HeldJob:
        self._heartbeat_task.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._heartbeat_task.close()

    @property
    def job(self) -> Job:
        """Job as of the last heartbeat, with the present progress."""
        return replace(self._job, progress=self._progress)

    def report(self, note: str, done: float, total: float | None) -> None:
        """Report progress. Raises LeaseLost or WorkerStopping if the work must stop."""
        self._progress = JobProgress(done, total, note)
        if time.monotonic() - self._reported_at >= _PROGRESS_INTERVAL_S:
            self._reported_at = time.monotonic()
            self._heartbeat()
        if self._lease_lost is not None:
            raise self._lease_lost
        if self._stop_event.is_set():
            raise WorkerStopping

    def _heartbeat(self) -> None:
        with self._lock:
            if self._lease_lost is not None:
                return
            try:
                self._job = self._leases.heartbeat(self._job, self._progress)
                self._renewed_at = time.monotonic()
            except LeaseLost as error:
                self._lease_lost = error
            except AfterimageError as error:
                _log.warning("heartbeat of job %s failed: %s", self._job.id, error)
                if time.monotonic() - self._renewed_at > self._leases.lease_s:
                    self._lease_lost = LeaseLost(
                        f"job {self._job.id}: the lease expired while heartbeats failed ({error})"
                    )
