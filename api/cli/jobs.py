"""Commands `afterimage worker` and `afterimage jobs`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from api.cli.console import escape_markup, open_container, out, print_json, print_table
from api.cli.messages import explain
from api.cli.messages import translate as _
from api.cli.options import JsonOption
from api.schemas.jobs import JobEventShape, JobShape
from services.jobs.dispatcher import JobDispatcher
from services.jobs.outbox import DeliveryStatus
from services.jobs.periodic_task import PeriodicTask
from services.jobs.store import JobStore
from services.jobs.types import Job, JobEvent, JobQueueName, JobState
from services.structured_logging import configure_logging
from services.tracing import configure_exporter

jobs = typer.Typer(help="List, show, cancel and retry jobs.", no_args_is_help=True, rich_markup_mode="markdown")
_COLOURS = {JobState.DONE: "green", JobState.FAILED: "red", JobState.CANCELLED: "yellow", JobState.RUNNING: "cyan"}
_ALIVE_INTERVAL_S = 5.0
"""Chosen: seconds; several touches within the 30 s after which a health check usually gives up."""
JobIdArgument = Annotated[str, typer.Argument(help="A job's id.")]


def _parse_queues(names: str) -> list[JobQueueName]:
    """Parse comma-separated names of queues. Errors: BadParameter."""
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
    """Run jobs, one after the other, until stopped (SIGTERM, Ctrl-C).

    A job that is running then stops at its next checkpoint and goes back to its queue; the job of a killed worker is
    resumed by another one. Any number of workers may run, on any number of machines with the same settings.
    """
    selected = _parse_queues(queues)
    configure_logging()
    configure_exporter("afterimage-worker")
    with (
        open_container() as container,
        _touch_while_alive(container.background.jobs, container.background.dispatcher, alive),
    ):
        container.background.worker.work(selected)


@contextmanager
def _touch_while_alive(store: JobStore, dispatcher: JobDispatcher, file: Path | None) -> Iterator[None]:
    """Touch a file regularly while database and queue answer, in a thread, until the block ends."""
    if file is None:
        yield
        return

    def probe() -> None:
        for queue in JobQueueName:
            store.has_queued_jobs(queue)
            dispatcher.queue_depth(queue)
        file.touch()

    task = PeriodicTask("alive", _ALIVE_INTERVAL_S, probe)
    task.start()
    try:
        yield
    finally:
        task.close()


@jobs.command("list")
def list_jobs(
    collections: Annotated[
        list[str] | None, typer.Option("--collection", "-c", help="Only of this collection (repeatable).")
    ] = None,
    states: Annotated[list[JobState] | None, typer.Option("--state", help="Only in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help="Maximum number of jobs.")] = 50,
    json: JsonOption = False,
) -> None:
    """List jobs, newest first."""
    with open_container() as container:
        listed = container.background.jobs.list_page(collections, states or (), limit=limit).items
    if json:
        print_json([JobShape.of(job) for job in listed])
        return
    columns = _("job"), _("kind"), _("state"), _("progress"), _("asked for"), ""
    table = Table(*columns, box=None, pad_edge=False, header_style="dim")
    for job in listed:
        about = job.error or job.progress.note
        table.add_row(
            job.id,
            job.kind,
            _format_state(job.state),
            _format_progress(job),
            _format_time(job.created_at),
            escape_markup(explain(about)),
        )
    if listed:
        print_table(table)
    else:
        out.print(_("No jobs."))


@jobs.command()
def show(job_id: JobIdArgument, json: JsonOption = False) -> None:
    """Show a job and its events."""
    with open_container() as container:
        job, events = container.background.jobs.get(job_id), container.background.jobs.list_events(job_id)
        deliveries = container.background.outbox.list_deliveries(job_id)
    if json:
        event_shapes = [JobEventShape.of(event).model_dump(mode="json") for event in events]
        print_json({**JobShape.of(job).model_dump(mode="json"), "events": event_shapes})
        return
    _print_job(job)
    for event in events:
        out.print(_format_event(event), soft_wrap=True)
    for delivery in deliveries:
        out.print(_format_delivery(delivery))


@jobs.command()
def cancel(job_id: JobIdArgument) -> None:
    """Cancel a job. A worker that runs it stops at the next checkpoint; what it has made is kept."""
    with open_container() as container:
        out.print(f"{job_id}: {container.background.jobs.cancel(job_id).state}")


@jobs.command()
def retry(job_id: JobIdArgument) -> None:
    """Run a job again that failed or was cancelled."""
    with open_container() as container:
        out.print(f"{job_id}: {container.background.dispatcher.retry(job_id).state}")


def _print_job(job: Job) -> None:
    rows = {
        _("job"): job.id,
        _("kind"): job.kind.value,
        _("state"): _format_state(job.state),
        _("collection"): escape_markup(job.collection or ""),
        _("asset"): job.asset_id or "",
        _("progress"): _format_progress(job),
        _("attempts"): _format_attempts(job) if job.attempts else "",
        _("worker"): escape_markup(job.worker or ""),
        _("error"): escape_markup(explain(job.error or "")),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows.items():
        if value:
            table.add_row(f"[dim]{name}[/]", value)
    print_table(table)


def _format_event(event: JobEvent) -> str:
    done, total = event.progress.done, event.progress.total
    share = f" {done:g}" if done else ""
    if done and total:
        share = " " + _("{done} of {total}", done=f"{done:g}", total=f"{total:g}")
    head = f"[dim]{_format_time(event.at)}[/] {_format_state(event.state)}"
    return f"{head}{share} {escape_markup(explain(event.note))}".rstrip()


def _format_delivery(delivery: DeliveryStatus) -> str:
    status = _("delivered") if delivery.delivered_at else _("to be delivered") if delivery.next_at else _("given up")
    tries = _("{status}, tries: {number}", status=status, number=delivery.attempts)
    head = f"[dim]{_('webhook')}[/] {escape_markup(delivery.url)}: {tries}"
    return f"{head} {escape_markup(explain(delivery.error or ''))}".rstrip()


def _format_attempts(job: Job) -> str:
    return _("{attempts} of {max_attempts} failed", attempts=job.attempts, max_attempts=job.max_attempts)


def _format_state(state: JobState) -> str:
    colour = _COLOURS.get(state)
    return state.value if colour is None else f"[{colour}]{state}[/]"


def _format_progress(job: Job) -> str:
    done, total = job.progress.done, job.progress.total
    return f"{100 * min(1.0, done / total):.0f} %" if total else f"{done:g}" if done else ""


def _format_time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
