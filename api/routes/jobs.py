"""`/v1/jobs`: work that was asked for, and what becomes of it; `/v1/summaries` and `/v1/reindex`, which ask for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response

from api.auth import Admin, Reader, Writer
from api.bodies import Name, SummaryBody
from api.job_shapes import JobEventShape, JobShape
from api.once import Named, Once
from api.problems import problem_responses
from api.replies import PageShape
from api.routes.assets import After, Limit
from api.server import Served, Server
from api.streams import Event, EventStream, Watch
from api.submitting import summary_job
from api.visible import asset_of, job_of
from services.jobs.types import JobState, NewJob, ReindexRequest

router = APIRouter(prefix="/v1", tags=["jobs"], route_class=Once)
_EVENTS, _AT_ONCE = "text/event-stream", 500
JobId = Annotated[str, Path(max_length=64, description="The job's id.")]
States = Annotated[list[JobState], Query(alias="state", description="Only in these states.")]
OfCollection = Annotated[Name | None, Query(description="Only of this collection.")]
_ASKED = problem_responses(403, 404, 409, 503)


@router.get("/jobs", response_model=PageShape[JobShape], responses=problem_responses(404, 503))
async def list_jobs(
    served: Served,
    rights: Reader,
    collection: OfCollection = None,
    states: States = [],  # noqa: B006 (FastAPI makes a new one for each request)
    after: After = None,
    limit: Limit = 100,
) -> PageShape[JobShape]:
    """Jobs, newest first, also those of collections that are yet to be made."""

    def page() -> PageShape[JobShape]:
        where = rights.among(None if collection is None else [collection])
        found = served.container.jobs.page(where, states, after, limit)
        return PageShape(items=[JobShape.of(job) for job in found.items], after=found.after)

    return await served.turns.lookups.take(page)


@router.get("/jobs/{job_id}", response_model=JobShape, responses=problem_responses(404, 503))
async def show_job(served: Served, rights: Reader, job_id: JobId) -> JobShape:
    """A job: its state, how far it is, its result or why it failed."""
    return await served.turns.lookups.take(lambda: JobShape.of(job_of(served.container.jobs, rights, job_id)))


@router.get(
    "/jobs/{job_id}/events",
    response_class=Response,
    responses={
        200: {
            "description": "`event` (JobEventShape) for all that has happened to the job, and happens; `job` (JobShape)"
            " when it has come to its end",
            "content": {_EVENTS: {"schema": {"type": "string"}}},
        },
        **problem_responses(404, 503),
    },
)
async def follow_job(
    request: Request,
    served: Served,
    rights: Reader,
    job_id: JobId,
    last_event_id: Annotated[
        str | None, Header(max_length=20, pattern=r"^\d*$", description="Go on after this event.")
    ] = None,
) -> Response:
    """What happens to a job, as it happens. A client that was cut off goes on where it was (`Last-Event-ID`)."""
    job = await served.turns.lookups.take(lambda: job_of(served.container.jobs, rights, job_id))
    after = min(int(last_event_id or 0), 2**62)
    return EventStream(request, Watch(served.turns.lookups, _look(served, job.id, after)))


@router.post("/jobs/{job_id}/cancel", response_model=JobShape, responses=_ASKED)
async def cancel_job(served: Served, rights: Writer, job_id: JobId) -> JobShape:
    """End a job. A worker that is at it stops at its next checkpoint, and what it made is kept."""

    def cancel() -> JobShape:
        job = job_of(served.container.jobs, rights, job_id)
        return JobShape.of(served.container.jobs.cancel(job.id))

    return await served.turns.lookups.take(cancel)


@router.post("/jobs/{job_id}/retry", response_model=JobShape, status_code=202, responses=_ASKED)
async def retry_job(served: Served, rights: Writer, job_id: JobId, named: Named) -> JobShape:
    """Have a job that failed or was cancelled done once more."""

    def retry() -> JobShape:
        job = job_of(served.container.jobs, rights, job_id)
        return JobShape.of(served.container.dispatch.retry(job.id, named))

    return await served.turns.lookups.take(retry)


@router.post("/summaries", response_model=JobShape, status_code=202, responses=_ASKED)
async def summarize(served: Served, rights: Writer, body: SummaryBody, named: Named) -> JobShape:
    """Summarize a video: chapters where its content changes, what each shows, and all of it in a few sentences. The
    summary is the job's result."""

    def submit() -> JobShape:
        asset = asset_of(served.container.catalog, rights, body.asset)
        return JobShape.of(summary_job(served.container, rights, asset, body.webhook, named))

    return await served.turns.lookups.take(submit)


@router.post("/reindex", response_model=JobShape, status_code=202, responses=_ASKED)
async def reindex(served: Served, rights: Admin, named: Named) -> JobShape:
    """Make the index anew from what is stored of the assets; the old one serves until then."""
    new = NewJob(ReindexRequest(), key_id=rights.key_id)
    return await served.turns.lookups.take(lambda: JobShape.of(served.container.dispatch.submit(new, named)))


def _look(server: Server, job_id: str, after: int) -> Callable[[], tuple[list[Event], bool]]:
    """Gives what has happened since it was last called: any process, on any machine, may write it."""
    jobs, last = server.container.jobs, after

    def look() -> tuple[list[Event], bool]:
        nonlocal last
        job = jobs.get(job_id)
        happened = jobs.events(job_id, last, _AT_ONCE)
        found = [Event("event", JobEventShape.of(event), str(event.number)) for event in happened]
        last = happened[-1].number if happened else last
        over = job.state.finished and len(happened) < _AT_ONCE
        return ([*found, Event("job", JobShape.of(job))], True) if over else (found, False)

    return look
