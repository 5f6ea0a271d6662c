"""`Leases`: a worker holds a job for a while, again and again, until it ends it; what a dead one held goes back."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TypeAlias

import msgspec
from sqlalchemy import Connection, and_, select

from services.database import schema
from services.database.clock import now
from services.database.engine import SqlDatabase
from services.jobs.errors import LeaseLost
from services.jobs.outbox import add_delivery
from services.jobs.rows import IS_RUNNING, append_event, job_from_row, owned_by_claim, read_job, update_if
from services.jobs.types import IndexResult, Job, JobProgress, JobResult, JobState

_MAX_BACKOFF_S, _MAX_CLOCK_SKEW_S = 3600.0, 5.0
JobColumns: TypeAlias = Mapping[str, object]
"""Columns of a job's row, and what they become."""


class Leases:
    """What workers do with jobs. Every method is one transaction that changes a job only while it is the caller's.

    So a job ends once: what a worker says after its lease ran out, or after the job was cancelled, changes nothing and
    raises JobNotHeld. `lease_s` is how long a claim or heartbeat holds; workers' clocks may differ by some seconds.
    """

    def __init__(self, database: SqlDatabase, lease_s: float, retry_backoff_s: float) -> None:
        self._database, self._lease_s, self._retry_backoff_s = database, lease_s, retry_backoff_s

    @property
    def lease_s(self) -> float:
        """How long a claim or heartbeat holds."""
        return self._lease_s

    def claim(self, job_id: str, worker: str) -> Job:
        """Take a queued job. Errors: JobNotFound; JobNotHeld where it is not queued, or not yet to be done again."""
        at, table = now(), schema.Jobs
        free = and_(table.state == JobState.QUEUED.value, table.not_before <= at + _MAX_CLOCK_SKEW_S)
        values = {"state": JobState.RUNNING.value, "worker": worker, "lease_until": at + self._lease_s}
        values |= {"fencing_token": table.fencing_token + 1, "started_at": at}
        with self._database.write() as connection:
            claimed = update_if(connection, job_id, free, values)
            job = read_job(connection, job_id)
            if not claimed:
                raise LeaseLost(f"job {job_id} is {job.state}")
            append_event(connection, job, at)
        return job

    def heartbeat(self, job: Job, progress: JobProgress) -> Job:
        """Hold the job for another lease, and say how far it is. Errors: JobNotHeld."""
        at = now()
        with self._database.write() as connection:
            held = _update_owned(connection, job, {**_progress_columns(progress), "lease_until": at + self._lease_s})
            if progress != job.progress:
                append_event(connection, held, at, progress.note)
        return held

    def finish(self, job: Job, result: JobResult) -> Job:
        """The job is done. Errors: JobNotHeld."""
        values = {"state": JobState.DONE.value, "result": msgspec.json.encode(result).decode(), "error": None}
        if isinstance(result, IndexResult) and len(result.files) == 1:
            values["asset_id"] = result.files[0].asset_id
        return self._set_terminal_state(job, values, "")

    def fail(self, job: Job, error: str, result: JobResult | None = None) -> Job:
        """The job failed, for good. Errors: JobNotHeld."""
        encoded = None if result is None else msgspec.json.encode(result).decode()
        return self._set_terminal_state(job, {"state": JobState.FAILED.value, "error": error, "result": encoded}, error)

    def retry_with_backoff(self, job: Job, error: str) -> Job:
        """An attempt failed: the job waits, twice as long each time, or fails with its last attempt.

        Errors: JobNotHeld.
        """
        if job.attempts + 1 >= job.max_attempts:
            return self.fail(job, error)
        return self._requeue(job, {"error": error, "attempts": job.attempts + 1}, self._backoff_s(job), error)

    def release(self, job: Job, reason: str, delay_s: float = 0.0) -> Job:
        """Queue the job again, to be taken up after a wait; it has not failed. Errors: JobNotHeld."""
        return self._requeue(job, {}, delay_s, reason)

    def reclaim_expired(self) -> int:
        """Take jobs from workers that let their leases run out; that counts as an attempt. Gives how many."""
        query = select(schema.Jobs).where(IS_RUNNING, schema.Jobs.lease_until < now())
        with self._database.read() as connection:
            lost = [job_from_row(row) for row in connection.execute(query)]
        return sum(self._reclaim(job) for job in lost)

    def _reclaim(self, job: Job) -> bool:
        error, last = f"worker {job.worker} was lost", job.attempts + 1 >= job.max_attempts
        try:
            if last:
                self.fail(job, f"{error}, in attempt {job.max_attempts} of {job.max_attempts}")
            else:
                self._requeue(job, {"error": error, "attempts": job.attempts + 1}, 0.0, error)
        except LeaseLost:
            return False
        return True

    def _backoff_s(self, job: Job) -> float:
        """Seconds until the next attempt, a little different for each so that not all come at once."""
        return min(self._retry_backoff_s * 2.0**job.attempts, _MAX_BACKOFF_S) * random.uniform(0.8, 1.2)

    def _requeue(self, job: Job, values: JobColumns, delay_s: float, note: str) -> Job:
        at = now()
        values = {"state": JobState.QUEUED.value, "not_before": at + delay_s, "sent_at": None, "worker": None, **values}
        with self._database.write() as connection:
            queued = _update_owned(connection, job, {**values, "lease_until": None})
            append_event(connection, queued, at, note)
        return queued

    def _set_terminal_state(self, job: Job, values: JobColumns, note: str) -> Job:
        at = now()
        with self._database.write() as connection:
            values = {**_progress_columns(job.progress), **values, "finished_at": at, "lease_until": None}
            ended = _update_owned(connection, job, values)
            append_event(connection, ended, at, note)
            add_delivery(connection, ended)
        return ended


def _progress_columns(progress: JobProgress) -> JobColumns:
    return {"done": progress.done, "total": progress.total, "note": progress.note}


def _update_owned(connection: Connection, job: Job, values: JobColumns) -> Job:
    """Errors: JobNotHeld."""
    changed = update_if(connection, job.id, owned_by_claim(job), values)
    current = read_job(connection, job.id)
    if not changed:
        raise LeaseLost(f"job {job.id} is {current.state}, and no longer this worker's")
    return current
