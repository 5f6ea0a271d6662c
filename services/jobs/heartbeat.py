"""`Held`: a job in the hands of a worker, which holds on to it while the work goes on, and hears when it may not."""

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
"""Heartbeats in the time of a lease: three may be lost."""
_PROGRESS_INTERVAL_S = 1.0
"""Progress is written down no more often."""


class WorkerStopping(Exception):
    """The worker is told to stop: the job goes back. No error, so that nothing on the way takes it for one."""


class HeldJob:
    """Sends heartbeats in the background, a few a lease; a database that is away for less than a lease is no reason to
    stop. `report` is what the work calls at its checkpoints.
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
        """The job as it was at the last heartbeat, and how far it is now."""
        return replace(self._job, progress=self._progress)

    def report(self, note: str, done: float, total: float | None) -> None:
        """Say how far the work is. Raises JobNotHeld or WorkerStopping where it is not to go on."""
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
                _log.warning("no heartbeat of job %s: %s", self._job.id, error)
                if time.monotonic() - self._renewed_at > self._leases.lease_s:
                    self._lease_lost = LeaseLost(f"job {self._job.id}: the lease ran out while {error}")
