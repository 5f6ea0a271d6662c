"""Rows of jobs: reading, conditional updates, and the event appended to each change (SQLAlchemy)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, insert, select, update

from services.database import schema
from services.jobs.errors import JobNotFound
from services.jobs.types import REQUEST_TYPES, RESULT_TYPES, Job, JobEvent, JobKind, JobProgress, JobState

IS_RUNNING = schema.Jobs.state == JobState.RUNNING.value


def generate_id() -> str:
    """Return a new id of 32 hex digits: the Unix time in milliseconds, so that ids sort by age, then 80 random bits."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def read_job(connection: Connection, job_id: str) -> Job:
    """Return the job of an id. Errors: JobNotFound."""
    row = connection.execute(select(schema.Jobs).where(schema.Jobs.job_id == job_id)).first()
    if row is None:
        raise JobNotFound(f"no job {job_id!r}")
    return job_from_row(row)


def job_from_row(row: Row[Any]) -> Job:
    """Return the job of a row."""
    values = dict(row._mapping)
    kind, result = JobKind(values.pop("kind")), values.pop("result")
    progress = JobProgress(values.pop("done"), values.pop("total"), values.pop("note"))
    values.pop("sent_at")
    return Job(
        id=values.pop("job_id"),
        kind=kind,
        state=JobState(values.pop("state")),
        request=msgspec.json.decode(values.pop("request"), type=REQUEST_TYPES[kind]),
        result=None if result is None else msgspec.json.decode(result, type=RESULT_TYPES[kind]),
        progress=progress,
        **values,
    )


def event_from_row(row: Row[Any]) -> JobEvent:
    """Return the event of a row."""
    progress = JobProgress(row.done, row.total)
    return JobEvent(row.number, row.job_id, row.at, JobState(row.state), progress, row.note)


def owned_by_claim(job: Job) -> ColumnElement[bool]:
    """Return the SQL condition that a job is still held by this claim (its fencing token)."""
    return and_(schema.Jobs.job_id == job.id, IS_RUNNING, schema.Jobs.fencing_token == job.fencing_token)


def update_if(
    connection: Connection, job_id: str, condition: ColumnElement[bool], values: Mapping[str, object]
) -> bool:
    """Update a job if a condition holds (compare and swap); return whether it did."""
    statement = update(schema.Jobs).where(schema.Jobs.job_id == job_id, condition).values(**values)
    return connection.execute(statement).rowcount == 1


def append_event(connection: Connection, job: Job, at: float, note: str = "") -> None:
    """Append an event with the job's present state; called after the update, whose row lock orders the events."""
    values = {"state": job.state.value, "done": job.progress.done, "total": job.progress.total}
    connection.execute(insert(schema.JobEvents).values(job_id=job.id, at=at, note=note, **values))
