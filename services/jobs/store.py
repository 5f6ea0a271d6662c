"""Store of jobs: submission, listing, cancellation and retry (SQLAlchemy)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, update

from services.database import schema
from services.database.clock import Clock, now
from services.database.engine import SqlDatabase
from services.database.idempotency import IdempotencyKey, claim_resource
from services.database.pagination import CursorPage, validate_limit
from services.jobs.errors import JobConflict
from services.jobs.outbox import add_delivery
from services.jobs.rows import append_event, event_from_row, generate_id, job_from_row, read_job, update_if
from services.jobs.types import Job, JobEvent, JobKind, JobQueueName, JobState, NewJob
from services.tracing import current_traceparent

_NEW_JOB_FIELDS = ("collection", "asset_id", "key_id", "webhook")
_UNFINISHED = (JobState.QUEUED.value, JobState.RUNNING.value)


class JobStore:
    """Client side of jobs; `services.jobs.leases` is the worker side.

    Every method is one transaction. Errors: JobNotFound, and those of SqlDatabase.
    """

    def __init__(self, database: SqlDatabase, max_attempts: int, clock: Clock = now) -> None:
        self._database, self._max_attempts, self._clock = database, max_attempts, clock

    def submit(self, new_job: NewJob, idempotency_key: IdempotencyKey | None = None) -> Job:
        """Store a queued job durably and return it; the caller sends it to the queue.

        A retried request, by its idempotency key, returns the job that it created before.
        """
        at, values = self._clock(), {name: getattr(new_job, name) for name in _NEW_JOB_FIELDS}
        values |= {"job_id": generate_id(), "kind": new_job.kind.value, "state": JobState.QUEUED.value, "note": ""}
        values |= {"request": msgspec.json.encode(new_job.request).decode(), "created_at": at, "sent_at": at}
        values |= {"traceparent": current_traceparent()}
        counts = {"done": 0.0, "fencing_token": 0, "attempts": 0, "max_attempts": self._max_attempts, "not_before": at}
        with self._database.write() as connection:
            if (before := self._claim_resource(connection, idempotency_key, str(values["job_id"]))) is not None:
                return read_job(connection, before)
            connection.execute(insert(schema.Jobs).values(**values, **counts))
            job = read_job(connection, str(values["job_id"]))
            append_event(connection, job, at)
        return job

    def get(self, job_id: str) -> Job:
        """Return the job of an id."""
        with self._database.read() as connection:
            return read_job(connection, job_id)

    def list_page(
        self,
        collections: Collection[str] | None = None,
        states: Collection[JobState] = (),
        after: str | None = None,
        limit: int = 100,
    ) -> CursorPage[Job]:
        """Return a page of jobs, newest first.

        Limited to `collections` (None: no limit, jobs of no collection included) and `states` (empty: any); `after` is
        the cursor of the previous page. Errors: InvalidInput for the limit.
        """
        query = select(schema.Jobs).order_by(schema.Jobs.job_id.desc()).limit(validate_limit(limit) + 1)
        if collections is not None:
            query = query.where(schema.Jobs.collection.in_(collections))
        if states:
            query = query.where(schema.Jobs.state.in_([state.value for state in states]))
        if after is not None:
            query = query.where(schema.Jobs.job_id < after)
        with self._database.read() as connection:
            jobs = tuple(job_from_row(row) for row in connection.execute(query))
        return CursorPage(jobs[:limit], jobs[limit - 1].id if len(jobs) > limit else None)

    def list_events(self, job_id: str, after: int = 0, limit: int = 1000) -> list[JobEvent]:
        """Return the events of a job in order, after an event number."""
        table = schema.JobEvents
        query = select(table).where(table.job_id == job_id, table.number > after).order_by(table.number).limit(limit)
        with self._database.read() as connection:
            return [event_from_row(row) for row in connection.execute(query)]

    def has_queued_jobs(self, queue: JobQueueName) -> bool:
        """Return whether a queue has jobs that no worker has claimed."""
        kinds = [kind.value for kind in JobKind if kind.queue is queue]
        query = select(schema.Jobs.job_id).where(
            schema.Jobs.state == JobState.QUEUED.value, schema.Jobs.kind.in_(kinds)
        )
        with self._database.read() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def cancel(self, job_id: str) -> Job:
        """Cancel a job at once (decision 0043); its worker stops at the next checkpoint and keeps finished parts.

        Idempotent. Errors: JobConflict for a job that is done or failed.
        """
        values = {"state": JobState.CANCELLED.value, "finished_at": self._clock(), "lease_until": None}
        return self._transition(job_id, schema.Jobs.state.in_(_UNFINISHED), values, JobState.CANCELLED)

    def retry(self, job_id: str, idempotency_key: IdempotencyKey | None = None) -> Job:
        """Queue a failed or cancelled job again, with all its attempts; `idempotency_key` as in `submit`.

        Errors: JobConflict for one that is running or done.
        """
        retryable = (JobState.FAILED.value, JobState.CANCELLED.value)
        at, empty = self._clock(), dict.fromkeys(("worker", "error", "result", "started_at", "finished_at", "total"))
        values = {**empty, "state": JobState.QUEUED.value, "not_before": at, "sent_at": at, "attempts": 0, "done": 0.0}
        return self._transition(job_id, schema.Jobs.state.in_(retryable), values, JobState.QUEUED, idempotency_key)

    def take_undelivered(self, sent_before: Mapping[JobQueueName, float]) -> list[Job]:
        """Take the queued jobs to send now, oldest first; concurrent callers get disjoint ones.

        These are unsent jobs that are due, and jobs sent before their queue's Unix time in `sent_before`, whose message
        counts as lost.
        """
        table, at = schema.Jobs, self._clock()
        kinds = {queue: [kind.value for kind in JobKind if kind.queue is queue] for queue in sent_before}
        lost = [and_(table.kind.in_(kinds[queue]), table.sent_at < before) for queue, before in sent_before.items()]
        conditions = (table.state == JobState.QUEUED.value, table.not_before <= at, or_(table.sent_at.is_(None), *lost))
        with self._database.write() as connection:
            rows = connection.execute(update(table).where(*conditions).values(sent_at=at).returning(*table.__table__.c))
            return sorted((job_from_row(row) for row in rows), key=lambda job: job.id)

    def mark_undelivered(self, job_id: str) -> None:
        """Mark a queued job as unsent, so that the next sweep sends it."""
        table = schema.Jobs
        is_queued = (table.job_id == job_id, table.state == JobState.QUEUED.value)
        with self._database.write() as connection:
            connection.execute(update(table).where(*is_queued).values(sent_at=None))

    def finished_before(self, cutoff: float) -> list[Job]:
        """Return the jobs that ended before a Unix time."""
        query = select(schema.Jobs).where(schema.Jobs.finished_at < cutoff)
        with self._database.read() as connection:
            return [job_from_row(row) for row in connection.execute(query)]

    def delete_finished(self, job: Job) -> None:
        """Delete an ended job with its events and deliveries, unless it was queued again meanwhile."""
        table = schema.Jobs
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.job_id == job.id, table.finished_at == job.finished_at))

    def _transition(
        self,
        job_id: str,
        condition: ColumnElement[bool],
        values: Mapping[str, object],
        target: JobState,
        idempotency_key: IdempotencyKey | None = None,
    ) -> Job:
        at = self._clock()
        with self._database.write() as connection:
            if self._claim_resource(connection, idempotency_key, job_id) is not None:
                return read_job(connection, job_id)
            moved = update_if(connection, job_id, condition, values)
            job = read_job(connection, job_id)
            if not moved and job.state is not target:
                raise JobConflict(f"job {job_id} is {job.state}")
            if moved:
                append_event(connection, job, at)
            if moved and job.state.is_terminal:
                add_delivery(connection, job, at)
        return job

    def _claim_resource(
        self, connection: Connection, idempotency_key: IdempotencyKey | None, job_id: str
    ) -> str | None:
        if idempotency_key is None:
            return None
        return claim_resource(self._database, connection, idempotency_key, job_id, self._clock)


def delete_summary_results(connection: Connection, asset_id: str, collection: str | None) -> None:
    """Clear the summaries in jobs about an asset that is removed from a collection, or from all (None)."""
    table = schema.Jobs
    statement = update(table).where(table.asset_id == asset_id, table.kind == JobKind.SUMMARIZE.value)
    if collection is not None:
        statement = statement.where(table.collection == collection)
    connection.execute(statement.values(result=None))
