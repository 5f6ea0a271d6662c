"""`afterimage worker` and `afterimage jobs`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from api.cli.console import out, plain, print_json, print_table, services
from api.cli.options import Json
from api.job_shapes import JobEventShape, JobShape
from services.jobs.dispatch import Dispatch
from services.jobs.repeating import Repeating
from services.jobs.store import Jobs
from services.jobs.types import Job, JobEvent, JobQueueName, JobState

jobs = typer.Typer(help="List, show, cancel and retry jobs.", no_args_is_help=True, rich_markup_mode="markdown")
_COLOURS = {JobState.DONE: "green", JobState.FAILED: "red", JobState.CANCELLED: "yellow", JobState.RUNNING: "cyan"}
_ALIVE_S = 5.0
JobId = Annotated[str, typer.Argument(help="A job's id.")]


def _queues(names: str) -> list[JobQueueName]:
    known = {queue.value: queue for queue in JobQueueName}
    unknown = [name for name in names.split(",") if name.strip() not in known]
    if unknown:
        raise typer.BadParameter(f"there is no queue {unknown[0]!r}; there are {', '.join(known)}")
    return [known[name.strip()] for name in names.split(",")]


def worker(
    queues: Annotated[str, typer.Option("--queues", "-q", help="The queues to work on.")] = "index,summarize",
    alive: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Touched every few seconds while database and queue answer: a health check."),
    ] = None,
) -> None:
    """Do jobs, one after the other, until told to stop (SIGTERM, Ctrl-C).

    What is under way then stops at its next checkpoint and goes back to its queue; what a killed worker had is taken
    up by another one, where it was. Any number of workers may run, on any number of machines with the same settings.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    named = _queues(queues)
    with services() as container, _saying_alive(container.jobs, container.dispatch, alive):
        container.worker.work(named)


@contextmanager
def _saying_alive(store: Jobs, dispatch: Dispatch, file: Path | None) -> Iterator[None]:
    if file is None:
        yield
        return

    def say() -> None:
        for queue in JobQueueName:
            store.any_waiting(queue)
            dispatch.waiting(queue)
        file.touch()

    saying = Repeating("alive", _ALIVE_S, say)
    saying.start()
    try:
        yield
    finally:
        saying.close()


@jobs.command("list")
def list_jobs(
    collections: Annotated[
        list[str] | None, typer.Option("--collection", "-c", help="Only of this collection; may be given again.")
    ] = None,
    states: Annotated[list[JobState] | None, typer.Option("--state", help="Only in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help="Jobs at most.")] = 50,
    json: Json = False,
) -> None:
    """List jobs, newest first."""
    with services() as container:
        found = container.jobs.page(collections, states or (), limit=limit).items
    if json:
        print_json([JobShape.of(job) for job in found])
        return
    table = Table("job", "kind", "state", "progress", "asked for", "", box=None, pad_edge=False, header_style="dim")
    for job in found:
        about = job.error or job.progress.note
        table.add_row(job.id, job.kind, _state(job.state), _progress(job), _clock(job.created_at), plain(about))
    if found:
        print_table(table)
    else:
        out.print("No jobs.")


@jobs.command()
def show(job_id: JobId, json: Json = False) -> None:
    """Show a job, and what happened to it."""
    with services() as container:
        job, events = container.jobs.get(job_id), container.jobs.events(job_id)
        told = container.outbox.told(job_id)
    if json:
        happened = [JobEventShape.of(event).model_dump(mode="json") for event in events]
        print_json({**JobShape.of(job).model_dump(mode="json"), "events": happened})
        return
    _print_job(job)
    for event in events:
        out.print(_line(event), soft_wrap=True)
    for one in told:
        heard = "told" if one.delivered_at else "to be told" if one.next_at else "given up"
        out.print(f"[dim]webhook[/] {plain(one.url)}: {heard}, tries: {one.attempts} {plain(one.error or '')}".rstrip())


@jobs.command()
def cancel(job_id: JobId) -> None:
    """Cancel a job. A worker that is at it stops at its next checkpoint; what it made is kept."""
    with services() as container:
        out.print(f"{job_id}: {container.jobs.cancel(job_id).state}")


@jobs.command()
def retry(job_id: JobId) -> None:
    """Have a job that failed or was cancelled done once more."""
    with services() as container:
        out.print(f"{job_id}: {container.dispatch.retry(job_id).state}")


def _print_job(job: Job) -> None:
    rows = {
        "job": job.id,
        "kind": job.kind.value,
        "state": _state(job.state),
        "collection": plain(job.collection or ""),
        "asset": job.asset_id or "",
        "progress": _progress(job),
        "attempts": f"{job.attempts} of {job.most_attempts} failed" if job.attempts else "",
        "worker": plain(job.worker or ""),
        "error": plain(job.error or ""),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows.items():
        if value:
            table.add_row(f"[dim]{name}[/]", value)
    print_table(table)


def _line(event: JobEvent) -> str:
    share = f" {event.progress.done:g}" if event.progress.done else ""
    total = f" of {event.progress.total:g}" if event.progress.done and event.progress.total else ""
    return f"[dim]{_clock(event.at)}[/] {_state(event.state)}{share}{total} {plain(event.note)}".rstrip()


def _state(state: JobState) -> str:
    colour = _COLOURS.get(state)
    return state.value if colour is None else f"[{colour}]{state}[/]"


def _progress(job: Job) -> str:
    done, total = job.progress.done, job.progress.total
    return f"{100 * min(1.0, done / total):.0f} %" if total else f"{done:g}" if done else ""


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
