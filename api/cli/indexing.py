"""Commands `afterimage index` and `reindex`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import (
    EXIT_FAILED,
    STOPPED_RESUMABLE,
    err,
    escape_markup,
    open_container,
    out,
    print_gaps,
    print_json,
)
from api.cli.deletion import prune_missing
from api.cli.messages import explain
from api.cli.messages import translate as _
from api.cli.options import JsonOption, YesOption
from api.cli.progress import ProgressBars
from services.ingest.types import FileReport, Outcome

_COLOURS = {
    Outcome.INDEXED: "green",
    Outcome.UPDATED: "green",
    Outcome.MOVED: "green",
    Outcome.UNCHANGED: "dim",
    Outcome.GONE: "yellow",
    Outcome.UNMATCHED: "yellow",
    Outcome.SIDECAR: "dim",
    Outcome.SKIPPED: "dim",
    Outcome.FAILED: "red",
}


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
    cannot be indexed gets one line that says why; the others go on, and the exit code is 1. Files that are no media are
    skipped with a line. Subtitle files are read with the recording that they are named for; one that belongs to none
    gets a line, too. A file that was moved keeps what was made of it. One that is gone is named, and still searched
    until `--prune` or `afterimage prune` removes it.
    """
    reports: list[FileReport] = []
    try:
        with open_container(when_stopped=STOPPED_RESUMABLE) as container:
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
    The old index serves until the new one is complete. Text in pictures and speech are not read again: `afterimage
    index` does that, and a line says where it is needed.
    """
    with open_container(when_stopped=STOPPED_RESUMABLE) as container, ProgressBars() as bars:
        report = container.reindexing.reindex(bars.update)
        gaps = container.coverage.gaps()
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
        message = _("{assets} assets, {segments} segments; {again} encoded again")
        message = message.format(assets=report.assets, segments=report.segments, again=report.reencoded_assets)
        cleared = _(", {number} leftovers cleared", number=report.deleted_artifacts)
        out.print(message + cleared if report.deleted_artifacts else message)
        for line in report.damaged_assets:
            err.print(f"[red]{_('damaged:')}[/] {escape_markup(explain(line))}", soft_wrap=True)
        print_gaps(gaps)
    raise typer.Exit(EXIT_FAILED if report.damaged_assets else 0)


def format_counts(counts: Counter[Outcome]) -> str:
    """Format the number of files of each outcome: `3 indexed, 1 moved`."""
    counts_text = ", ".join(
        _("{number} {outcome}", number=number, outcome=_(outcome)) for outcome, number in sorted(counts.items())
    )
    if counts.keys() <= {Outcome.SKIPPED, Outcome.UNMATCHED, Outcome.SIDECAR}:
        return _("no video, photo or PDF found") + (f" ({counts_text})" if counts_text else "")
    return counts_text


def print_report(report: FileReport) -> None:
    """Print what became of a file as one line; failures go to standard error."""
    console = err if report.outcome is Outcome.FAILED else out
    reason = f": {escape_markup(explain(report.reason))}" if report.reason else ""
    console.print(
        f"[{_COLOURS[report.outcome]}]{_(report.outcome)}[/] {escape_markup(report.name)}{reason}", soft_wrap=True
    )


def report_to_json(report: FileReport) -> dict[str, object]:
    """Return a report as a JSON object."""
    key = None if report.asset is None else report.asset.asset_id
    return {"name": report.name, "outcome": report.outcome.value, "asset": key, "reason": report.reason}
