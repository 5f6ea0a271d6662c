"""What a job is: work that is asked for now and done later, by whichever worker comes first."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from services.summaries.types import Summary


class JobQueueName(StrEnum):
    """Jobs that wait for each other. A worker takes from one or both."""

    INDEX = "index"
    SUMMARIZE = "summarize"


class JobKind(StrEnum):
    """What a job does."""

    INDEX = "index"
    SUMMARIZE = "summarize"
    DELETE = "delete"
    REINDEX = "reindex"

    @property
    def queue(self) -> JobQueueName:
        """Where it waits: what changes the archive in one queue, what asks the generator in the other."""
        return JobQueueName.SUMMARIZE if self is JobKind.SUMMARIZE else JobQueueName.INDEX


class JobState(StrEnum):
    """Where a job is. The last three are ends, of which a job comes to one, once."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class IndexRequest:
    """Take a source in. `uri` is `file:` (a file or folder of the server), `blob:` (an upload) or `https:`, `http:`;
    `name` is what people see."""

    uri: str
    name: str


@dataclass(frozen=True, slots=True)
class SummarizeRequest:
    """Summarize a video."""

    asset_id: str


@dataclass(frozen=True, slots=True)
class DeleteRequest:
    """Remove an asset from the job's collection, or from all where it has none."""

    asset_id: str


@dataclass(frozen=True, slots=True)
class ReindexRequest:
    """Make the index anew."""


JobRequest: TypeAlias = IndexRequest | SummarizeRequest | DeleteRequest | ReindexRequest


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A file that was taken in, with its warnings as `reason`; or, without an asset, why it was not."""

    name: str
    asset_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class IndexResult:
    """What became of the files that a source stands for. It says the same however often the job was interrupted."""

    files: tuple[IndexedFile, ...]

    def describe_failure(self) -> str:
        """Why the job has failed: a line; empty where everything was taken in."""
        failed = [file for file in self.files if file.asset_id is None]
        if not self.files:
            return "no video, photo or PDF found"
        if not failed:
            return ""
        first = f"{failed[0].name}: {failed[0].reason}"
        return first if len(self.files) == 1 else f"{len(failed)} of {len(self.files)} files not taken in; {first}"


@dataclass(frozen=True, slots=True)
class SummarizeResult:
    """The summary, which is also kept with the asset."""

    summary: Summary


@dataclass(frozen=True, slots=True)
class DeleteResult:
    """The asset is gone from where it was to go from."""

    asset_id: str


@dataclass(frozen=True, slots=True)
class ReindexResult:
    """What the new index holds, and what could not be put in (`name: reason`)."""

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
    """How far a job is: `done` of `total` (None: not known) seconds of video, pages, sections or assets; `note` says
    of what."""

    done: float = 0.0
    total: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the database holds it. Times are Unix times.

    A worker that claims a job holds it until `lease_until`, which it puts off while it lives. `fencing_token` counts up with
    every claim and tells one holder from the next; `attempts` counts those that ended without a result. Not before
    `not_before` is a queued job claimed. `result` is there once it is done; of an index job also where it failed
    because files could not be taken in.
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


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is asked for. `key_id` is the key that asks, `webhook` the URL that is told of the end."""

    request: JobRequest
    collection: str | None = None
    key_id: str | None = None
    webhook: str | None = None

    @property
    def kind(self) -> JobKind:
        """The kind of the request."""
        return next(kind for kind, made in REQUEST_TYPES.items() if isinstance(self.request, made))

    @property
    def asset_id(self) -> str | None:
        """The asset that the request names."""
        return self.request.asset_id if isinstance(self.request, SummarizeRequest | DeleteRequest) else None


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that happened to a job. Numbers count up, with gaps; `note` says why a state was come to."""

    number: int
    job_id: str
    at: float
    state: JobState
    progress: JobProgress
    note: str
