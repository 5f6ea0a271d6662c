"""How jobs look from outside: on the command line and over HTTP."""

from __future__ import annotations

from typing import Literal

import msgspec
from pydantic import BaseModel

from services.jobs.types import IndexRequest, Job, JobEvent, JobProgress, JobRequest, JobState


class ProgressShape(BaseModel):
    """How far a job is: `done` of `total` (null: not known) seconds of video, pages, sections, assets or bytes."""

    done: float
    total: float | None
    note: str

    @classmethod
    def of(cls, progress: JobProgress) -> ProgressShape:
        return cls(done=progress.done, total=progress.total, note=progress.note)


class JobShape(BaseModel):
    """A job. Times are Unix times; `request` and `result` have a shape for each kind."""

    id: str
    kind: Literal["index", "summarize", "delete", "reindex"]
    state: JobState
    collection: str | None
    asset_id: str | None
    request: dict[str, object]
    progress: ProgressShape
    attempts: int
    max_attempts: int
    worker: str | None
    error: str | None
    result: dict[str, object] | None
    created_at: float
    started_at: float | None
    finished_at: float | None

    @classmethod
    def of(cls, job: Job) -> JobShape:
        return cls(
            id=job.id,
            kind=job.kind.value,
            state=job.state,
            collection=job.collection,
            asset_id=job.asset_id,
            request=_redact_request(job.request),
            progress=ProgressShape.of(job.progress),
            attempts=job.attempts,
            max_attempts=job.max_attempts,
            worker=job.worker,
            error=job.error,
            result=msgspec.to_builtins(job.result),
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
        )


def _redact_request(request: JobRequest) -> dict[str, object]:
    """A request without what a URL may have that is secret."""
    redacted: dict[str, object] = msgspec.to_builtins(request)
    if isinstance(request, IndexRequest) and not request.uri.startswith("file:"):
        redacted["uri"] = request.uri.partition("?")[0]
    return redacted


class JobEventShape(BaseModel):
    """Something that happened to a job; `number` counts up, with gaps."""

    number: int
    at: float
    state: JobState
    done: float
    total: float | None
    note: str

    @classmethod
    def of(cls, event: JobEvent) -> JobEventShape:
        done, total = event.progress.done, event.progress.total
        return cls(number=event.number, at=event.at, state=event.state, done=done, total=total, note=event.note)
