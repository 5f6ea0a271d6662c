"""Values of jobs: kinds, states, requests, results, progress and events."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from services.summaries.types import Summary


class JobQueueName(StrEnum):
    """Queue of jobs; a worker serves one or both."""

    INDEX = "index"
    SUMMARIZE = "summarize"


class JobKind(StrEnum):
    """Kind of work of a job."""

    INDEX = "index"
    SUMMARIZE = "summarize"
    DELETE = "delete"
    REINDEX = "reindex"

    @property
    def queue(self) -> JobQueueName:
        """Queue of this kind: `index` for changes of the archive, `summarize` for work of the generator."""
        return JobQueueName.SUMMARIZE if self is JobKind.SUMMARIZE else JobQueueName.INDEX


class JobState(StrEnum):
    """State of a job; the last three are terminal."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Return whether the job has ended."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class IndexRequest:
    """Request to index a source.

    `uri` is `file:` (a file or folder of the server), `blob:` (an upload), `https:` or `http:`; `name` is for display.
    """

    uri: str
    name: str


@dataclass(frozen=True, slots=True)
class SummarizeRequest:
    """Request to summarize a video."""

    asset_id: str


@dataclass(frozen=True, slots=True)
class DeleteRequest:
    """Request to remove an asset from the job's collection, or from all if the job has none."""

    asset_id: str


@dataclass(frozen=True, slots=True)
class ReindexRequest:
    """Request to rebuild the index from artifacts."""


JobRequest: TypeAlias = IndexRequest | SummarizeRequest | DeleteRequest | ReindexRequest


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """Outcome of one file: indexed, with its warnings as `reason`; or failed (no asset), with the error as `reason`."""

    name: str
    asset_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class IndexResult:
    """Outcomes of the files of a source, the same however often the job was interrupted.

    `gone` are files below the source that were indexed before and are not there any more; their assets are still
    searched. `unmatched` are subtitle files that belong to no recording. Neither is a failure.
    """

    files: tuple[IndexedFile, ...]
    gone: tuple[IndexedFile, ...] = ()
    unmatched: tuple[IndexedFile, ...] = ()

    def describe_failure(self) -> str:
        """Return the job's error as one line; empty if every file was indexed."""
        failed = [file for file in self.files if file.asset_id is None]
        if not self.files and not self.gone:
            return "no video, photo or PDF found"
        if not failed:
            return ""
        first = f"{failed[0].name}: {failed[0].reason}"
        return first if len(self.files) == 1 else f"{len(failed)} of {len(self.files)} files not indexed; {first}"


@dataclass(frozen=True, slots=True)
class SummarizeResult:
    """Result of a summarize job; the summary is also stored with the asset's artifacts."""

    summary: Summary


@dataclass(frozen=True, slots=True)
class DeleteResult:
    """Result of a delete job: the id of the removed asset."""

    asset_id: str


@dataclass(frozen=True, slots=True)
class ReindexResult:
    """Result of a reindex job: counts of the new index, and assets left out (`name: reason`)."""

    assets: int
    segments: int
    damaged: tuple[str, ...]


JobResult: TypeAlias = IndexResult | SummarizeResult | DeleteResult | ReindexResult

REQUEST_TYPES: dict[JobKind, type[JobRequest]] = {
    JobKind.INDEX: IndexRequest,
    JobKind.SUMMARIZE: SummarizeRequest,
    JobKind.DELETE: DeleteRequest,
    JobKind.REINDEX: ReindexRequest,
}
RESULT_TYPES: dict[JobKind, type[JobResult]] = {
    JobKind.INDEX: IndexResult,
    JobKind.SUMMARIZE: SummarizeResult,
    JobKind.DELETE: DeleteResult,
    JobKind.REINDEX: ReindexResult,
}


@dataclass(frozen=True, slots=True)
class JobProgress:
    """Progress of a job: `done` of `total` (None: unknown) seconds of video, pages, sections or assets.

    `note` names the file or asset in progress.
    """

    done: float = 0.0
    total: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """Job as stored in the database. Times are Unix times.

    A worker holds a claimed job until `lease_until`, which its heartbeats extend. `fencing_token` counts the claims and
    tells one holder from the next; `attempts` counts those that failed. A queued job is due at `not_before`. A job that
    is done has a `result`; an index job has one too if it failed because of its files.
    """

    id: str
    kind: JobKind
    state: JobState
    collection: str | None
    asset_id: str | None
    request: JobRequest
    progress: JobProgress
    fencing_token: int
    attempts: int
    max_attempts: int
    not_before: float
    lease_until: float | None
    worker: str | None
    error: str | None
    result: JobResult | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    key_id: str | None
    webhook: str | None
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class NewJob:
    """Job to submit. `key_id` is the API key of the caller, `webhook` the URL notified when the job has ended."""

    request: JobRequest
    collection: str | None = None
    key_id: str | None = None
    webhook: str | None = None

    @property
    def kind(self) -> JobKind:
        """Kind of the request."""
        return next(kind for kind, request_type in REQUEST_TYPES.items() if isinstance(self.request, request_type))

    @property
    def asset_id(self) -> str | None:
        """Asset that the request names, if it names one."""
        return self.request.asset_id if isinstance(self.request, SummarizeRequest | DeleteRequest) else None


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Event in the log of a job. `number` increases, with gaps; `note` gives the reason of the state."""

    number: int
    job_id: str
    at: float
    state: JobState
    progress: JobProgress
    note: str
