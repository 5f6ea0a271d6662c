"""Leases: a claimed job must be renewed; jobs with expired leases return to the queue."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import msgspec
from sqlalchemy import Connection, and_, select

from services.database import schema
from services.database.clock import Clock, now
from services.database.engine import SqlDatabase
from services.jobs.backoff import exponential_backoff_s
from services.jobs.errors import LeaseLost
from services.jobs.outbox import add_delivery
from services.jobs.rows import IS_RUNNING, append_event, job_from_row, owned_by_claim, read_job, update_if
from services.jobs.types import IndexResult, Job, JobProgress, JobResult, JobState

JobColumns: TypeAlias = Mapping[str, object]
"""New values of columns of a job's row, by name."""


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Numbers of leases and retries, besides the duration of a lease and the first backoff."""

    max_backoff_s: float = 3600.0
    """Chosen: a job waits at most an hour for its next attempt, however often it failed."""
    backoff_jitter: float = 0.2
    """Chosen: each delay varies by a fifth, so that jobs that failed together do not retry together."""
    max_clock_skew_s: float = 5.0
    """Chosen: a worker whose clock is this far behind may claim a job that is due; NTP keeps clocks closer."""


DEFAULT_SETTINGS = LeaseSettings()
"""The settings of every profile."""


class Leases:
    """Worker side of jobs: claim, renew, end. Every method is one transaction, conditional on the caller's claim.

    So a job ends once: a call after the lease expired, or after the job was cancelled, changes nothing and raises
    LeaseLost. `lease_s` is the duration of a claim or heartbeat, `retry_backoff_s` the first delay of a retry; clocks
    of workers may differ by the `max_clock_skew_s` of the settings.
    """

    def __init__(
        self,
        database: SqlDatabase,
        lease_s: float,
        retry_backoff_s: float,
        settings: LeaseSettings = DEFAULT_SETTINGS,
        clock: Clock = now,
    ) -> None:
        self._database, self._lease_s, self._retry_backoff_s = database, lease_s, retry_backoff_s
        self._settings, self._clock = settings, clock

    @property
    def lease_s(self) -> float:
        """Seconds that a claim or heartbeat holds a job."""
        return self._lease_s

    def claim(self, job_id: str, worker: str) -> Job:
        """Claim a queued job. Errors: JobNotFound; LeaseLost if it is not queued, or not due yet."""
        at, table = self._clock(), schema.Jobs
        free = and_(table.state == JobState.QUEUED.value, table.not_before <= at + self._settings.max_clock_skew_s)
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
        """Renew the lease and record the progress. Errors: LeaseLost."""
        at = self._clock()
        with self._database.write() as connection:
            renewed = _update_owned(connection, job, {**_progress_columns(progress), "lease_until": at + self._lease_s})
            if progress != job.progress:
                append_event(connection, renewed, at, progress.note)
        return renewed

    def finish(self, job: Job, result: JobResult) -> Job:
        """End the job as done. Errors: LeaseLost."""
        values = {"state": JobState.DONE.value, "result": msgspec.json.encode(result).decode(), "error": None}
        if isinstance(result, IndexResult) and len(result.files) == 1:
            values["asset_id"] = result.files[0].asset_id
        return self._set_terminal_state(job, values, "")

    def fail(self, job: Job, error: str, result: JobResult | None = None) -> Job:
        """End the job as failed. Errors: LeaseLost."""
        encoded = None if result is None else msgspec.json.encode(result).decode()
        return self._set_terminal_state(job, {"state": JobState.FAILED.value, "error": error, "result": encoded}, error)

    def retry_with_backoff(self, job: Job, error: str) -> Job:
        """Queue the job again after exponential backoff; after its last attempt it fails. Errors: LeaseLost."""
        if job.attempts + 1 >= job.max_attempts:
            return self.fail(job, error)
        return self._requeue(job, {"error": error, "attempts": job.attempts + 1}, self._backoff_s(job), error)

    def release(self, job: Job, reason: str, delay_s: float = 0.0) -> Job:
        """Queue the job again after a delay without counting an attempt. Errors: LeaseLost."""
        return self._requeue(job, {}, delay_s, reason)

    def reclaim_expired(self) -> int:
        """Queue jobs with expired leases again, counting an attempt; return their number."""
        query = select(schema.Jobs).where(IS_RUNNING, schema.Jobs.lease_until < self._clock())
        with self._database.read() as connection:
            expired = [job_from_row(row) for row in connection.execute(query)]
        return sum(self._reclaim(job) for job in expired)

    def _reclaim(self, job: Job) -> bool:
        error, is_last = f"worker {job.worker} was lost", job.attempts + 1 >= job.max_attempts
        try:
            if is_last:
                self.fail(job, f"{error}, in attempt {job.max_attempts} of {job.max_attempts}")
            else:
                self._requeue(job, {"error": error, "attempts": job.attempts + 1}, 0.0, error)
        except LeaseLost:
            return False
        return True

    def _backoff_s(self, job: Job) -> float:
        """Return the seconds until the next attempt, with jitter."""
        jitter, max_s = self._settings.backoff_jitter, self._settings.max_backoff_s
        delay_s = exponential_backoff_s(job.attempts + 1, self._retry_backoff_s, max_s)
        return delay_s * random.uniform(1 - jitter, 1 + jitter)

    def _requeue(self, job: Job, values: JobColumns, delay_s: float, note: str) -> Job:
        at = self._clock()
        values = {"state": JobState.QUEUED.value, "not_before": at + delay_s, "sent_at": None, "worker": None, **values}
        with self._database.write() as connection:
            queued = _update_owned(connection, job, {**values, "lease_until": None})
            append_event(connection, queued, at, note)
        return queued

    def _set_terminal_state(self, job: Job, values: JobColumns, note: str) -> Job:
        at = self._clock()
        with self._database.write() as connection:
            values = {**_progress_columns(job.progress), **values, "finished_at": at, "lease_until": None}
            ended = _update_owned(connection, job, values)
            append_event(connection, ended, at, note)
            add_delivery(connection, ended, at)
        return ended


def _progress_columns(progress: JobProgress) -> JobColumns:
    return {"done": progress.done, "total": progress.total, "note": progress.note}


def _update_owned(connection: Connection, job: Job, values: JobColumns) -> Job:
    """Change a job's row and return the job. Errors: LeaseLost if the claim no longer holds it."""
    changed = update_if(connection, job.id, owned_by_claim(job), values)
    current = read_job(connection, job.id)
    if not changed:
        raise LeaseLost(f"job {job.id} is {current.state}, and no longer this worker's")
    return current
