"""Commands `afterimage index` and `reindex`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from api.cli.console import EXIT_FAILED, err, escape_markup, open_container, out, print_json
from api.cli.deletion import prune_missing
from api.cli.options import JsonOption, YesOption
from services.ingest.types import FileReport, Outcome

_COLOURS = {
    Outcome.INDEXED: "green",
    Outcome.UPDATED: "green",
    Outcome.MOVED: "green",
    Outcome.UNCHANGED: "dim",
    Outcome.GONE: "yellow",
    Outcome.UNMATCHED: "yellow",
    Outcome.SIDECAR: "dim",
    Outcome.FAILED: "red",
}


class _RateColumn(ProgressColumn):
    """Progress column: seconds of video, pages or assets per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="dim")


class ProgressBars:
    """Progress bar of the current file, on standard error."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            _RateColumn(),
            TimeRemainingColumn(),
        )
        self._progress = Progress(
            *columns, console=err, transient=True, redirect_stdout=out.is_terminal, disable=not err.is_terminal
        )
        self._task: TaskID | None = None
        self._name = ""

    def __enter__(self) -> ProgressBars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, name: str, done: float, total: float | None) -> None:
        """Show the progress of a file; a new name replaces the bar."""
        if self._task is None or name != self._name:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task, self._name = self._progress.add_task(escape_markup(name), total=total), name
        self._progress.update(self._task, completed=done, total=total)

    def clear(self) -> None:
        """Remove the bar until the next update."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None


def require_name(collection: str) -> str:
    """Return the name of a collection. Errors: BadParameter for a blank one."""
    if not collection.strip():
        raise typer.BadParameter("a collection needs a name")
    return collection


def index(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders; folders are searched recursively.")],
    collection: Annotated[
        str, typer.Option("--collection", "-c", help="The collection to put them in.", callback=require_name)
    ] = "default",
    prune: Annotated[
        bool, typer.Option("--prune", help="Afterwards remove what was indexed below these paths and is gone.")
    ] = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Index videos, photos and documents.

    Running it again costs nothing for what did not change, and goes on where a stopped run left off. Every file that
    cannot be indexed gets one line that says why; the others go on, and the exit code is 1. Subtitle files are read
    with the recording that they are named for; one that belongs to none gets a line, too. A file that was moved keeps
    what was made of it. One that is gone is named, and still searched until `--prune` or `afterimage prune` removes it.
    """
    reports: list[FileReport] = []
    try:
        with open_container() as container:
            with ProgressBars() as bars:
                for report in container.indexing.index_paths(paths, collection, bars.update):
                    reports.append(report)
                    if not json:
                        print_report(report)
            if prune and any(report.outcome is Outcome.GONE for report in reports):
                prune_missing(container, [collection], paths, yes=yes, quiet=json)
    finally:
        if json:
            print_json({"sources": [report_to_json(report) for report in reports]})
    counts = Counter(report.outcome for report in reports)
    if not json:
        out.print(format_counts(counts))
    raise typer.Exit(EXIT_FAILED if counts[Outcome.FAILED] else 0)


def reindex(json: JsonOption = False) -> None:
    """Rebuild the index from the stored artifacts, without the sources.

    Needed after a change of model: key frames and texts that another model encoded are encoded again.
    The old index serves until the new one is complete.
    """
    with open_container() as container, ProgressBars() as bars:
        report = container.reindexing.reindex(bars.update)
    if json:
        print_json(
            {
                "assets": report.assets,
                "segments": report.segments,
                "encoded_again": report.reencoded_assets,
                "cleared": report.deleted_artifacts,
                "damaged": list(report.damaged_assets),
            }
        )
    else:
        out.print(
            f"{report.assets} assets, {report.segments} segments; {report.reencoded_assets} encoded again", end=""
        )
        out.print(f", {report.deleted_artifacts} leftovers cleared" if report.deleted_artifacts else "")
        for line in report.damaged_assets:
            err.print(f"[red]damaged:[/] {escape_markup(line)}", soft_wrap=True)
    raise typer.Exit(EXIT_FAILED if report.damaged_assets else 0)


def format_counts(counts: Counter[Outcome]) -> str:
    """Format the number of files of each outcome: `3 indexed, 1 moved`."""
    counts_text = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
    if counts.keys() <= {Outcome.SKIPPED, Outcome.UNMATCHED, Outcome.SIDECAR}:
        return "no video, photo or PDF found" + (f" ({counts_text})" if counts_text else "")
    return counts_text


def print_report(report: FileReport) -> None:
    """Print what became of a file as one line; failures go to standard error."""
    if report.outcome is Outcome.SKIPPED:
        return
    console = err if report.outcome is Outcome.FAILED else out
    reason = f": {escape_markup(report.reason)}" if report.reason else ""
    console.print(
        f"[{_COLOURS[report.outcome]}]{report.outcome}[/] {escape_markup(report.name)}{reason}", soft_wrap=True
    )


def report_to_json(report: FileReport) -> dict[str, object]:
    """Return a report as a JSON object."""
    key = None if report.asset is None else report.asset.asset_id
    return {"name": report.name, "outcome": report.outcome.value, "asset": key, "reason": report.reason}
