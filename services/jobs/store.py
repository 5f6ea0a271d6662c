"""`Jobs`: what is asked for, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from indexer.errors import JobConflict
from services import tables
from services.catalog import now
from services.database import Database
from services.jobs.outbox import add_delivery
from services.jobs.rows import change, event_of, job_of, new_id, read, write_down
from services.jobs.types import Job, JobEvent, JobKind, JobQueueName, JobState, NewJob
from services.paging import Page, checked_limit
from services.repeats import Repeatable, made_before

_UNFINISHED = (JobState.QUEUED.value, JobState.RUNNING.value)


class Jobs:
    """The jobs of the database. Every method is one transaction; errors: JobNotFound, and those of Database.

    What a worker does with a job is in `services.jobs.leases`.
    """

    def __init__(self, database: Database, most_attempts: int) -> None:
        self._database, self._most_attempts = database, most_attempts

    def submit(self, new: NewJob, once: Repeatable | None = None) -> Job:
        """Write a job down, as queued. It is durable from here on; handing it to the queue is for the caller.

        Of a request that is sent again, `once`, the job is the one that it made before, as it is now.
        """
        at, values = now(), {name: getattr(new, name) for name in ("collection", "asset_id", "key_id", "webhook")}
        values |= {"job_id": new_id(), "kind": new.kind.value, "state": JobState.QUEUED.value, "note": ""}
        values |= {"request": msgspec.json.encode(new.request).decode(), "created_at": at, "sent_at": at}
        counts = {"done": 0.0, "claims": 0, "attempts": 0, "most_attempts": self._most_attempts, "not_before": at}
        with self._database.begin() as connection:
            if (before := self._made_before(connection, once, str(values["job_id"]))) is not None:
                return read(connection, before)
            connection.execute(insert(tables.Jobs).values(**values, **counts))
            job = read(connection, str(values["job_id"]))
            write_down(connection, job, at)
        return job

    def get(self, job_id: str) -> Job:
        """The job of an id."""
        with self._database.reading() as connection:
            return read(connection, job_id)

    def page(
        self,
        collections: Collection[str] | None = None,
        states: Collection[JobState] = (),
        after: str | None = None,
        limit: int = 100,
    ) -> Page[Job]:
        """Jobs, newest first: of some collections (None: all, also those of none), in some states (none given: any)."""
        query = select(tables.Jobs).order_by(tables.Jobs.job_id.desc()).limit(checked_limit(limit) + 1)
        if collections is not None:
            query = query.where(tables.Jobs.collection.in_(collections))
        if states:
            query = query.where(tables.Jobs.state.in_([state.value for state in states]))
        if after is not None:
            query = query.where(tables.Jobs.job_id < after)
        with self._database.reading() as connection:
            jobs = tuple(job_of(row) for row in connection.execute(query))
        return Page(jobs[:limit], jobs[limit - 1].id if len(jobs) > limit else None)

    def events(self, job_id: str, after: int = 0, limit: int = 1000) -> list[JobEvent]:
        """What happened to a job, in order, after the event of a number."""
        table = tables.JobEvents
        query = select(table).where(table.job_id == job_id, table.number > after).order_by(table.number).limit(limit)
        with self._database.reading() as connection:
            return [event_of(row) for row in connection.execute(query)]

    def counts(self) -> dict[tuple[JobKind, JobState], int]:
        """How many jobs there are of a kind in a state."""
        query = select(tables.Jobs.kind, tables.Jobs.state, func.count()).group_by(tables.Jobs.kind, tables.Jobs.state)
        with self._database.reading() as connection:
            return {(JobKind(kind), JobState(state)): number for kind, state, number in connection.execute(query)}

    def any_waiting(self, queue: JobQueueName) -> bool:
        """Whether a job of a queue is yet to be begun."""
        kinds = [kind.value for kind in JobKind if kind.queue is queue]
        query = select(tables.Jobs.job_id).where(
            tables.Jobs.state == JobState.QUEUED.value, tables.Jobs.kind.in_(kinds)
        )
        with self._database.reading() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def cancel(self, job_id: str) -> Job:
        """End a job; a worker that is at it stops at its next checkpoint, and what it made is kept.

        Cancelling twice is the same as once. Errors: JobConflict for a job that came to another end.
        """
        values = {"state": JobState.CANCELLED.value, "finished_at": now(), "lease_until": None}
        return self._move(job_id, tables.Jobs.state.in_(_UNFINISHED), values, JobState.CANCELLED)

    def retry(self, job_id: str, once: Repeatable | None = None) -> Job:
        """Queue a job that failed or was cancelled once more, with all its attempts; `once` as for `submit`.

        Errors: JobConflict for one that is running or done.
        """
        over = (JobState.FAILED.value, JobState.CANCELLED.value)
        at, empty = now(), dict.fromkeys(("worker", "error", "result", "started_at", "finished_at", "total"))
        values = {**empty, "state": JobState.QUEUED.value, "not_before": at, "sent_at": at, "attempts": 0, "done": 0.0}
        return self._move(job_id, tables.Jobs.state.in_(over), values, JobState.QUEUED, once)

    def due(self, lost_before: Mapping[JobQueueName, float]) -> list[Job]:
        """Queued jobs that are to be handed to the queue now, oldest first; of several callers each gets others.

        These are the ones whose wait is over, and those that were handed over before a queue's time in `lost_before`.
        """
        table, at = tables.Jobs, now()
        kinds = {queue: [kind.value for kind in JobKind if kind.queue is queue] for queue in lost_before}
        lost = [and_(table.kind.in_(kinds[queue]), table.sent_at < before) for queue, before in lost_before.items()]
        where = (table.state == JobState.QUEUED.value, table.not_before <= at, or_(table.sent_at.is_(None), *lost))
        with self._database.begin() as connection:
            rows = connection.execute(update(table).where(*where).values(sent_at=at).returning(*table.__table__.c))
            return sorted((job_of(row) for row in rows), key=lambda job: job.id)

    def unsent(self, job_id: str) -> None:
        """A job could not be handed over: it is due again, whatever else waits in its queue."""
        table = tables.Jobs
        mine = (table.job_id == job_id, table.state == JobState.QUEUED.value)
        with self._database.begin() as connection:
            connection.execute(update(table).where(*mine).values(sent_at=None))

    def ended(self, before: float) -> list[Job]:
        """Jobs that came to their end before a time."""
        with self._database.reading() as connection:
            return [
                job_of(row) for row in connection.execute(select(tables.Jobs).where(tables.Jobs.finished_at < before))
            ]

    def forget(self, job: Job) -> None:
        """Drop a job that has ended, and what was written down of it; one that was queued again meanwhile stays."""
        table = tables.Jobs
        with self._database.begin() as connection:
            connection.execute(delete(table).where(table.job_id == job.id, table.finished_at == job.finished_at))

    def _move(
        self,
        job_id: str,
        where: ColumnElement[bool],
        values: Mapping[str, object],
        to: JobState,
        once: Repeatable | None = None,
    ) -> Job:
        with self._database.begin() as connection:
            if self._made_before(connection, once, job_id) is not None:
                return read(connection, job_id)
            moved = change(connection, job_id, where, values)
            job = read(connection, job_id)
            if not moved and job.state is not to:
                raise JobConflict(f"job {job_id} is {job.state}")
            if moved:
                write_down(connection, job, now())
            if moved and job.state.finished:
                add_delivery(connection, job)
        return job

    def _made_before(self, connection: Connection, once: Repeatable | None, job_id: str) -> str | None:
        return None if once is None else made_before(self._database, connection, once, job_id)
