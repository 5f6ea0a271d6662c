"""Routes `/v1/jobs`: list, follow, cancel and retry jobs; `/v1/summaries` and `/v1/reindex`, which submit them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response

from api.http.auth import AdminAccess, ReadAccess, WriteAccess
from api.http.context import Context
from api.http.idempotency import IdempotencyKeyParam, IdempotentRoute
from api.http.problems import problem_responses
from api.http.routes.assets import AfterParam, CollectionParam, LimitParam
from api.http.slots import LookupSlot
from api.http.sse import EventStream, PollingProducer, ServerSentEvent
from api.http.summary_jobs import submit_summary
from api.schemas.jobs import JobEventShape, JobShape
from api.schemas.requests import SummaryBody
from api.schemas.responses import PageShape
from services.access.scoping import require_asset
from services.jobs.scoping import require_job
from services.jobs.store import JobStore
from services.jobs.types import JobState, NewJob, ReindexRequest

router = APIRouter(prefix="/v1", tags=["jobs"], route_class=IdempotentRoute)
_EVENT_STREAM = "text/event-stream"
_EVENTS_PER_POLL = 500
"""Form: events read from the database at once; a longer backlog takes several polls."""
_MAX_EVENT_NUMBER = 1 << 62
"""Form: what `Last-Event-ID` is capped at, so that it fits an integer column of 64 bits."""
JobIdParam = Annotated[str, Path(max_length=64, description="The job's id.")]
StatesParam = Annotated[list[JobState], Query(alias="state", description="Only in these states.")]
_SUBMIT_PROBLEMS = problem_responses(403, 404, 409, 503)


@router.get("/jobs", response_model=PageShape[JobShape], responses=problem_responses(404, 503))
def list_jobs(
    context: Context,
    permissions: ReadAccess,
    _slot: LookupSlot,
    collection: CollectionParam = None,
    states: StatesParam = [],  # noqa: B006 (FastAPI makes a new one for each request)
    after: AfterParam = None,
    limit: LimitParam = 100,
) -> PageShape[JobShape]:
    """List jobs, newest first, in pages; those of collections that do not exist yet included."""
    collections = permissions.restrict(None if collection is None else [collection])
    jobs = context.container.background.jobs.list_page(collections, states, after, limit)
    return PageShape(items=[JobShape.of(job) for job in jobs.items], after=jobs.next_cursor)


@router.get("/jobs/{job_id}", response_model=JobShape, responses=problem_responses(404, 503))
def show_job(context: Context, permissions: ReadAccess, job_id: JobIdParam, _slot: LookupSlot) -> JobShape:
    """Describe a job: its state, its progress, its result or its error."""
    return JobShape.of(require_job(context.container.background.jobs, permissions, job_id))


@router.get(
    "/jobs/{job_id}/events",
    response_class=Response,
    responses={
        200: {
            "description": "`event` (JobEventShape) for all that has happened to the job, and happens; `job` (JobShape)"
            " when it has come to its end",
            "content": {_EVENT_STREAM: {"schema": {"type": "string"}}},
        },
        **problem_responses(404, 503),
    },
)
async def follow_job(
    request: Request,
    context: Context,
    permissions: ReadAccess,
    job_id: JobIdParam,
    last_event_id: Annotated[
        str | None, Header(max_length=20, pattern=r"^\d*$", description="Go on after this event.")
    ] = None,
) -> Response:
    """Stream the events of a job as they happen, until it ends. `Last-Event-ID` resumes a stream that was cut off."""
    job = await context.limits.lookups.run(require_job, context.container.background.jobs, permissions, job_id)
    poller = _JobPoller(context.container.background.jobs, job.id, min(int(last_event_id or 0), _MAX_EVENT_NUMBER))
    return EventStream(request, PollingProducer(context.limits.lookups, poller.poll))


@router.post("/jobs/{job_id}/cancel", response_model=JobShape, responses=_SUBMIT_PROBLEMS)
def cancel_job(context: Context, permissions: WriteAccess, job_id: JobIdParam, _slot: LookupSlot) -> JobShape:
    """Cancel a job. A worker that runs it stops at the next checkpoint; what it has made is kept."""
    job = require_job(context.container.background.jobs, permissions, job_id)
    return JobShape.of(context.container.background.jobs.cancel(job.id))


@router.post("/jobs/{job_id}/retry", response_model=JobShape, status_code=202, responses=_SUBMIT_PROBLEMS)
def retry_job(
    context: Context,
    permissions: WriteAccess,
    job_id: JobIdParam,
    idempotency_key: IdempotencyKeyParam,
    _slot: LookupSlot,
) -> JobShape:
    """Submit a job again that failed or was cancelled."""
    job = require_job(context.container.background.jobs, permissions, job_id)
    return JobShape.of(context.container.background.dispatcher.retry(job.id, idempotency_key))


@router.post("/summaries", response_model=JobShape, status_code=202, responses=_SUBMIT_PROBLEMS)
def summarize(
    context: Context,
    permissions: WriteAccess,
    body: SummaryBody,
    idempotency_key: IdempotencyKeyParam,
    _slot: LookupSlot,
) -> JobShape:
    """Summarize a video by a job: chapters where its content changes, what each shows, and all of it in a few
    sentences. The summary is the job's result."""
    asset = require_asset(context.container.catalog, permissions, body.asset)
    return JobShape.of(submit_summary(context.container, permissions, asset, body.webhook, idempotency_key))


@router.post("/reindex", response_model=JobShape, status_code=202, responses=_SUBMIT_PROBLEMS)
def reindex(
    context: Context, permissions: AdminAccess, idempotency_key: IdempotencyKeyParam, _slot: LookupSlot
) -> JobShape:
    """Rebuild the index from stored artifacts by a job; the old index serves until then."""
    new = NewJob(ReindexRequest(), key_id=permissions.key_id)
    return JobShape.of(context.container.background.dispatcher.submit(new, idempotency_key))


class _JobPoller:
    """Reads the events of a job that were written since the last poll, by whatever process on whatever machine."""

    def __init__(self, jobs: JobStore, job_id: str, after: int) -> None:
        self._jobs, self._job_id, self._last = jobs, job_id, after

    def poll(self) -> tuple[list[ServerSentEvent], bool]:
        """Return the new events, and whether they are the last; the job itself then follows them."""
        job = self._jobs.get(self._job_id)
        new_events = self._jobs.list_events(self._job_id, self._last, _EVENTS_PER_POLL)
        messages = [ServerSentEvent("event", JobEventShape.of(event), str(event.number)) for event in new_events]
        if new_events:
            self._last = new_events[-1].number
        if not job.state.is_terminal or len(new_events) == _EVENTS_PER_POLL:
            return messages, False
        return [*messages, ServerSentEvent("job", JobShape.of(job))], True
