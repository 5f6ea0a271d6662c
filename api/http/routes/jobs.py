"""`/v1/jobs`: work that was asked for, and what becomes of it; `/v1/summaries` and `/v1/reindex`, which ask for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response

from api.http.auth import AdminAccess, ReadAccess, WriteAccess
from api.http.context import AppContext, Context
from api.http.idempotency import IdempotencyKeyParam, IdempotentRoute
from api.http.problems import problem_responses
from api.http.routes.assets import AfterParam, LimitParam
from api.http.sse import EventStream, PollingProducer, ServerSentEvent
from api.http.summary_jobs import submit_summary
from api.schemas.jobs import JobEventShape, JobShape
from api.schemas.requests import CollectionName, SummaryBody
from api.schemas.responses import PageShape
from services.access.scoping import require_asset
from services.jobs.scoping import require_job
from services.jobs.types import JobState, NewJob, ReindexRequest

router = APIRouter(prefix="/v1", tags=["jobs"], route_class=IdempotentRoute)
_EVENT_STREAM, _EVENTS_PER_POLL = "text/event-stream", 500
JobIdParam = Annotated[str, Path(max_length=64, description="The job's id.")]
StatesParam = Annotated[list[JobState], Query(alias="state", description="Only in these states.")]
CollectionParam = Annotated[CollectionName | None, Query(description="Only of this collection.")]
_SUBMIT_PROBLEMS = problem_responses(403, 404, 409, 503)


@router.get("/jobs", response_model=PageShape[JobShape], responses=problem_responses(404, 503))
async def list_jobs(
    context: Context,
    permissions: ReadAccess,
    collection: CollectionParam = None,
    states: StatesParam = [],  # noqa: B006 (FastAPI makes a new one for each request)
    after: AfterParam = None,
    limit: LimitParam = 100,
) -> PageShape[JobShape]:
    """Jobs, newest first, also those of collections that are yet to be made."""

    def page() -> PageShape[JobShape]:
        collections = permissions.restrict(None if collection is None else [collection])
        jobs = context.container.jobs.list_page(collections, states, after, limit)
        return PageShape(items=[JobShape.of(job) for job in jobs.items], after=jobs.next_cursor)

    return await context.limits.lookups.run(page)


@router.get("/jobs/{job_id}", response_model=JobShape, responses=problem_responses(404, 503))
async def show_job(context: Context, permissions: ReadAccess, job_id: JobIdParam) -> JobShape:
    """A job: its state, how far it is, its result or why it failed."""
    return await context.limits.lookups.run(
        lambda: JobShape.of(require_job(context.container.jobs, permissions, job_id))
    )


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
    """What happens to a job, as it happens. A client that was cut off goes on where it was (`Last-Event-ID`)."""
    job = await context.limits.lookups.run(lambda: require_job(context.container.jobs, permissions, job_id))
    after = min(int(last_event_id or 0), 2**62)
    return EventStream(request, PollingProducer(context.limits.lookups, _make_poll(context, job.id, after)))


@router.post("/jobs/{job_id}/cancel", response_model=JobShape, responses=_SUBMIT_PROBLEMS)
async def cancel_job(context: Context, permissions: WriteAccess, job_id: JobIdParam) -> JobShape:
    """End a job. A worker that is at it stops at its next checkpoint, and what it made is kept."""

    def cancel() -> JobShape:
        job = require_job(context.container.jobs, permissions, job_id)
        return JobShape.of(context.container.jobs.cancel(job.id))

    return await context.limits.lookups.run(cancel)


@router.post("/jobs/{job_id}/retry", response_model=JobShape, status_code=202, responses=_SUBMIT_PROBLEMS)
async def retry_job(
    context: Context, permissions: WriteAccess, job_id: JobIdParam, idempotency_key: IdempotencyKeyParam
) -> JobShape:
    """Have a job that failed or was cancelled done once more."""

    def retry() -> JobShape:
        job = require_job(context.container.jobs, permissions, job_id)
        return JobShape.of(context.container.dispatcher.retry(job.id, idempotency_key))

    return await context.limits.lookups.run(retry)


@router.post("/summaries", response_model=JobShape, status_code=202, responses=_SUBMIT_PROBLEMS)
async def summarize(
    context: Context, permissions: WriteAccess, body: SummaryBody, idempotency_key: IdempotencyKeyParam
) -> JobShape:
    """Summarize a video: chapters where its content changes, what each shows, and all of it in a few sentences. The
    summary is the job's result."""

    def submit() -> JobShape:
        asset = require_asset(context.container.catalog, permissions, body.asset)
        return JobShape.of(submit_summary(context.container, permissions, asset, body.webhook, idempotency_key))

    return await context.limits.lookups.run(submit)


@router.post("/reindex", response_model=JobShape, status_code=202, responses=_SUBMIT_PROBLEMS)
async def reindex(context: Context, permissions: AdminAccess, idempotency_key: IdempotencyKeyParam) -> JobShape:
    """Make the index anew from what is stored of the assets; the old one serves until then."""
    new = NewJob(ReindexRequest(), key_id=permissions.key_id)
    return await context.limits.lookups.run(
        lambda: JobShape.of(context.container.dispatcher.submit(new, idempotency_key))
    )


def _make_poll(context: AppContext, job_id: str, after: int) -> Callable[[], tuple[list[ServerSentEvent], bool]]:
    """Gives what has happened since it was last called: any process, on any machine, may write it."""
    jobs, last = context.container.jobs, after

    def poll() -> tuple[list[ServerSentEvent], bool]:
        nonlocal last
        job = jobs.get(job_id)
        new_events = jobs.list_events(job_id, last, _EVENTS_PER_POLL)
        messages = [ServerSentEvent("event", JobEventShape.of(event), str(event.number)) for event in new_events]
        last = new_events[-1].number if new_events else last
        finished = job.state.is_terminal and len(new_events) < _EVENTS_PER_POLL
        return ([*messages, ServerSentEvent("job", JobShape.of(job))], True) if finished else (messages, False)

    return poll
