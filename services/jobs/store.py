"""`Jobs`: what is asked for, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from services.database import schema
from services.database.clock import now
from services.database.engine import SqlDatabase
from services.database.idempotency import IdempotencyKey, claim_resource
from services.database.pagination import CursorPage, validate_limit
from services.jobs.errors import JobConflict
from services.jobs.outbox import add_delivery
from services.jobs.rows import append_event, event_from_row, generate_id, job_from_row, read_job, update_if
from services.jobs.types import Job, JobEvent, JobKind, JobQueueName, JobState, NewJob

_UNFINISHED = (JobState.QUEUED.value, JobState.RUNNING.value)


class JobStore:
    """The jobs of the database. Every method is one transaction; errors: JobNotFound, and those of Database.

    What a worker does with a job is in `services.jobs.leases`.
    """

    def __init__(self, database: SqlDatabase, max_attempts: int) -> None:
        self._database, self._max_attempts = database, max_attempts

    def submit(self, new_job: NewJob, idempotency_key: IdempotencyKey | None = None) -> Job:
        """Write a job down, as queued. It is durable from here on; handing it to the queue is for the caller.

        Of a request that is sent again, `once`, the job is the one that it made before, as it is now.
        """
        at, values = now(), {name: getattr(new_job, name) for name in ("collection", "asset_id", "key_id", "webhook")}
        values |= {"job_id": generate_id(), "kind": new_job.kind.value, "state": JobState.QUEUED.value, "note": ""}
        values |= {"request": msgspec.json.encode(new_job.request).decode(), "created_at": at, "sent_at": at}
        counts = {"done": 0.0, "fencing_token": 0, "attempts": 0, "max_attempts": self._max_attempts, "not_before": at}
        with self._database.write() as connection:
            if (before := self._claim_resource(connection, idempotency_key, str(values["job_id"]))) is not None:
                return read_job(connection, before)
            connection.execute(insert(schema.Jobs).values(**values, **counts))
            job = read_job(connection, str(values["job_id"]))
            append_event(connection, job, at)
        return job

    def get(self, job_id: str) -> Job:
        """The job of an id."""
        with self._database.read() as connection:
            return read_job(connection, job_id)

    def list_page(
        self,
        collections: Collection[str] | None = None,
        states: Collection[JobState] = (),
        after: str | None = None,
        limit: int = 100,
    ) -> CursorPage[Job]:
        """Jobs, newest first: of some collections (None: all, also those of none), in some states (none given: any)."""
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
        """What happened to a job, in order, after the event of a number."""
        table = schema.JobEvents
        query = select(table).where(table.job_id == job_id, table.number > after).order_by(table.number).limit(limit)
        with self._database.read() as connection:
            return [event_from_row(row) for row in connection.execute(query)]

    def count_by_kind_and_state(self) -> dict[tuple[JobKind, JobState], int]:
        """How many jobs there are of a kind in a state."""
        query = select(schema.Jobs.kind, schema.Jobs.state, func.count()).group_by(schema.Jobs.kind, schema.Jobs.state)
        with self._database.read() as connection:
            return {(JobKind(kind), JobState(state)): number for kind, state, number in connection.execute(query)}

    def has_queued_jobs(self, queue: JobQueueName) -> bool:
        """Whether a job of a queue is yet to be begun."""
        kinds = [kind.value for kind in JobKind if kind.queue is queue]
        query = select(schema.Jobs.job_id).where(
            schema.Jobs.state == JobState.QUEUED.value, schema.Jobs.kind.in_(kinds)
        )
        with self._database.read() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def cancel(self, job_id: str) -> Job:
        """End a job; a worker that is at it stops at its next checkpoint, and what it made is kept.

        Cancelling twice is the same as once. Errors: JobConflict for a job that came to another end.
        """
        values = {"state": JobState.CANCELLED.value, "finished_at": now(), "lease_until": None}
        return self._transition(job_id, schema.Jobs.state.in_(_UNFINISHED), values, JobState.CANCELLED)

    def retry(self, job_id: str, idempotency_key: IdempotencyKey | None = None) -> Job:
        """Queue a job that failed or was cancelled once more, with all its attempts; `once` as for `submit`.

        Errors: JobConflict for one that is running or done.
        """
        over = (JobState.FAILED.value, JobState.CANCELLED.value)
        at, empty = now(), dict.fromkeys(("worker", "error", "result", "started_at", "finished_at", "total"))
        values = {**empty, "state": JobState.QUEUED.value, "not_before": at, "sent_at": at, "attempts": 0, "done": 0.0}
        return self._transition(job_id, schema.Jobs.state.in_(over), values, JobState.QUEUED, idempotency_key)

    def take_undelivered(self, sent_before: Mapping[JobQueueName, float]) -> list[Job]:
        """Queued jobs that are to be handed to the queue now, oldest first; of several callers each gets others.

        These are the ones whose wait is over, and those that were handed over before a queue's time in `lost_before`.
        """
        table, at = schema.Jobs, now()
        kinds = {queue: [kind.value for kind in JobKind if kind.queue is queue] for queue in sent_before}
        lost = [and_(table.kind.in_(kinds[queue]), table.sent_at < before) for queue, before in sent_before.items()]
        conditions = (table.state == JobState.QUEUED.value, table.not_before <= at, or_(table.sent_at.is_(None), *lost))
        with self._database.write() as connection:
            rows = connection.execute(update(table).where(*conditions).values(sent_at=at).returning(*table.__table__.c))
            return sorted((job_from_row(row) for row in rows), key=lambda job: job.id)

    def mark_undelivered(self, job_id: str) -> None:
        """A job could not be handed over: it is due again, whatever else waits in its queue."""
        table = schema.Jobs
        mine = (table.job_id == job_id, table.state == JobState.QUEUED.value)
        with self._database.write() as connection:
            connection.execute(update(table).where(*mine).values(sent_at=None))

    def finished_before(self, cutoff: float) -> list[Job]:
        """Jobs that came to their end before a time."""
        with self._database.read() as connection:
            return [
                job_from_row(row)
                for row in connection.execute(select(schema.Jobs).where(schema.Jobs.finished_at < cutoff))
            ]

    def delete_finished(self, job: Job) -> None:
        """Drop a job that has ended, and what was written down of it; one that was queued again meanwhile stays."""
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
        with self._database.write() as connection:
            if self._claim_resource(connection, idempotency_key, job_id) is not None:
                return read_job(connection, job_id)
            moved = update_if(connection, job_id, condition, values)
            job = read_job(connection, job_id)
            if not moved and job.state is not target:
                raise JobConflict(f"job {job_id} is {job.state}")
            if moved:
                append_event(connection, job, now())
            if moved and job.state.is_terminal:
                add_delivery(connection, job)
        return job

    def _claim_resource(
        self, connection: Connection, idempotency_key: IdempotencyKey | None, job_id: str
    ) -> str | None:
        return None if idempotency_key is None else claim_resource(self._database, connection, idempotency_key, job_id)
