"""`Leases`: a worker holds a job for a while, again and again, until it ends it; what a dead one held goes back."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TypeAlias

import msgspec
from sqlalchemy import Connection, and_, select

from indexer.errors import JobNotHeld
from services import tables
from services.catalog import now
from services.database import Database
from services.jobs.outbox import add_delivery
from services.jobs.rows import RUNNING, change, held_by, job_of, read, write_down
from services.jobs.types import IndexResult, Job, JobState, Progress, Result

_LONGEST_WAIT_S, _SKEW_S = 3600.0, 5.0
Values: TypeAlias = Mapping[str, object]
"""Columns of a job's row, and what they become."""


class Leases:
    """What workers do with jobs. Every method is one transaction that changes a job only while it is the caller's.

    So a job ends once: what a worker says after its lease ran out, or after the job was cancelled, changes nothing and
    raises JobNotHeld. `lease_s` is how long a claim or heartbeat holds; workers' clocks may differ by some seconds.
    """

    def __init__(self, database: Database, lease_s: float, wait_s: float) -> None:
        self._database, self._lease_s, self._wait_s = database, lease_s, wait_s

    @property
    def lease_s(self) -> float:
        """How long a claim or heartbeat holds."""
        return self._lease_s

    def claim(self, job_id: str, worker: str) -> Job:
        """Take a queued job. Errors: JobNotFound; JobNotHeld where it is not queued, or not yet to be done again."""
        at, table = now(), tables.Jobs
        free = and_(table.state == JobState.QUEUED.value, table.not_before <= at + _SKEW_S)
        values = {"state": JobState.RUNNING.value, "worker": worker, "lease_until": at + self._lease_s}
        values |= {"claims": table.claims + 1, "started_at": at}
        with self._database.begin() as connection:
            claimed = change(connection, job_id, free, values)
            job = read(connection, job_id)
            if not claimed:
                raise JobNotHeld(f"job {job_id} is {job.state}")
            write_down(connection, job, at)
        return job

    def heartbeat(self, job: Job, progress: Progress) -> Job:
        """Hold the job for another lease, and say how far it is. Errors: JobNotHeld."""
        at = now()
        with self._database.begin() as connection:
            held = _change(connection, job, {**_columns(progress), "lease_until": at + self._lease_s})
            if progress != job.progress:
                write_down(connection, held, at, progress.note)
        return held

    def finish(self, job: Job, result: Result) -> Job:
        """The job is done. Errors: JobNotHeld."""
        values = {"state": JobState.DONE.value, "result": msgspec.json.encode(result).decode(), "error": None}
        if isinstance(result, IndexResult) and len(result.files) == 1:
            values["asset_id"] = result.files[0].asset_id
        return self._end(job, values, "")

    def fail(self, job: Job, error: str, result: Result | None = None) -> Job:
        """The job failed, for good. Errors: JobNotHeld."""
        encoded = None if result is None else msgspec.json.encode(result).decode()
        return self._end(job, {"state": JobState.FAILED.value, "error": error, "result": encoded}, error)

    def try_again(self, job: Job, error: str) -> Job:
        """An attempt failed: the job waits, twice as long each time, or fails with its last attempt.

        Errors: JobNotHeld.
        """
        if job.attempts + 1 >= job.most_attempts:
            return self.fail(job, error)
        return self._queue(job, {"error": error, "attempts": job.attempts + 1}, self._wait(job), error)

    def give_back(self, job: Job, reason: str, wait_s: float = 0.0) -> Job:
        """Queue the job again, to be taken up after a wait; it has not failed. Errors: JobNotHeld."""
        return self._queue(job, {}, wait_s, reason)

    def expire(self) -> int:
        """Take jobs from workers that let their leases run out; that counts as an attempt. Gives how many."""
        query = select(tables.Jobs).where(RUNNING, tables.Jobs.lease_until < now())
        with self._database.reading() as connection:
            lost = [job_of(row) for row in connection.execute(query)]
        return sum(self._expired(job) for job in lost)

    def _expired(self, job: Job) -> bool:
        error, last = f"worker {job.worker} was lost", job.attempts + 1 >= job.most_attempts
        try:
            if last:
                self.fail(job, f"{error}, in attempt {job.most_attempts} of {job.most_attempts}")
            else:
                self._queue(job, {"error": error, "attempts": job.attempts + 1}, 0.0, error)
        except JobNotHeld:
            return False
        return True

    def _wait(self, job: Job) -> float:
        """Seconds until the next attempt, a little different for each so that not all come at once."""
        return min(self._wait_s * 2.0**job.attempts, _LONGEST_WAIT_S) * random.uniform(0.8, 1.2)

    def _queue(self, job: Job, values: Values, wait_s: float, note: str) -> Job:
        at = now()
        values = {"state": JobState.QUEUED.value, "not_before": at + wait_s, "sent_at": None, "worker": None, **values}
        with self._database.begin() as connection:
            queued = _change(connection, job, {**values, "lease_until": None})
            write_down(connection, queued, at, note)
        return queued

    def _end(self, job: Job, values: Values, note: str) -> Job:
        at = now()
        with self._database.begin() as connection:
            values = {**_columns(job.progress), **values, "finished_at": at, "lease_until": None}
            ended = _change(connection, job, values)
            write_down(connection, ended, at, note)
            add_delivery(connection, ended)
        return ended


def _columns(progress: Progress) -> Values:
    return {"done": progress.done, "total": progress.total, "note": progress.note}


def _change(connection: Connection, job: Job, values: Values) -> Job:
    """Errors: JobNotHeld."""
    changed = change(connection, job.id, held_by(job), values)
    current = read(connection, job.id)
    if not changed:
        raise JobNotHeld(f"job {job.id} is {current.state}, and no longer this worker's")
    return current
