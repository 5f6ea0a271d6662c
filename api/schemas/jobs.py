"""JSON shapes of jobs, for the command line and HTTP."""

from __future__ import annotations

from typing import Literal

import msgspec
from pydantic import BaseModel

from services.jobs.types import IndexRequest, Job, JobEvent, JobProgress, JobRequest, JobState


class ProgressShape(BaseModel):
    """Progress of a job: `done` of `total` (null: unknown) seconds of video, pages, sections, assets or bytes."""

    done: float
    total: float | None
    note: str

    @classmethod
    def of(cls, progress: JobProgress) -> ProgressShape:
        """Build the shape of a progress."""
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
        """Build the shape of a job, without secrets of its request."""
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
    """Return a request without the query of its URL, which may be secret (signed URLs)."""
    redacted: dict[str, object] = msgspec.to_builtins(request)
    if isinstance(request, IndexRequest) and not request.uri.startswith("file:"):
        redacted["uri"] = request.uri.partition("?")[0]
    return redacted


class JobEventShape(BaseModel):
    """Event of a job; `number` increases, with gaps."""

    number: int
    at: float
    state: JobState
    done: float
    total: float | None
    note: str

    @classmethod
    def of(cls, event: JobEvent) -> JobEventShape:
        """Build the shape of an event."""
        done, total = event.progress.done, event.progress.total
        return cls(number=event.number, at=event.at, state=event.state, done=done, total=total, note=event.note)
