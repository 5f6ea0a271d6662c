"""Command `afterimage watch`: keep a collection in step with folders."""

from __future__ import annotations

import json as json_format
import signal
import sys
from collections import Counter
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from api.cli.console import STOPPED_KEPT, err, escape_markup, open_container, out
from api.cli.indexing import format_counts, print_report, report_to_json, require_name
from api.cli.messages import explain
from api.cli.messages import translate as _
from api.cli.progress import ProgressBars
from services.ingest.types import FileReport, Outcome
from services.ingest.watching.types import WatchedFolder


def watch(
    paths: Annotated[list[Path], typer.Argument(help="Folders; one that is not there yet is waited for.")],
    collection: Annotated[
        str, typer.Option("--collection", "-c", help="The collection to keep in step.", callback=require_name)
    ] = "default",
    prune: Annotated[bool, typer.Option("--prune", help="Remove what is gone from the archive, too.")] = False,
    poll_s: Annotated[
        float,
        typer.Option(
            "--poll",
            metavar="SECONDS",
            min=0,
            help="Look at all files this often: for network file systems, which do not tell what others change.",
        ),
    ] = 0.0,
    json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each file.")] = False,
) -> None:
    """Index folders, and go on with what changes in them, until Ctrl-C or SIGTERM.

    It begins with all files, as `index` does, so that nothing is missed between two runs. A file is taken up once it
    has not changed for some seconds (AFTERIMAGE_INGEST__WATCH_QUIET_S). A folder that goes away is named and waited
    for. What is gone from a folder is marked, and removed only with `--prune`. Files that failed are tried again when
    they change.
    """
    if files := [path for path in paths if path.is_file()]:
        raise typer.BadParameter(f"{files[0]} is a file; watch its folder, or `afterimage index` it")
    folders = [WatchedFolder(collection, path.absolute()) for path in paths]
    stop = Event()
    with open_container(when_stopped=STOPPED_KEPT) as container, ProgressBars() as bars:
        container.catalog.require_writable()
        previous_handler = signal.signal(signal.SIGTERM, lambda *_: stop.set())
        try:
            container.make_watching(poll_s, prune).run(folders, _Console(bars, json), stop)
        finally:
            signal.signal(signal.SIGTERM, previous_handler)


class _Console:
    """WatchListener on the terminal: a line for each file that changed, notices on standard error."""

    def __init__(self, bars: ProgressBars, json: bool) -> None:
        self._bars, self._json = bars, json

    def on_progress(self, name: str, done: float, total: float | None) -> None:
        self._bars.update(name, done, total)

    def on_report(self, report: FileReport) -> None:
        if self._json:
            sys.stdout.write(json_format.dumps(report_to_json(report), ensure_ascii=False) + "\n")
            sys.stdout.flush()
        elif report.outcome is not Outcome.UNCHANGED:
            print_report(report)
            sys.stdout.flush()

    def on_notice(self, text: str) -> None:
        err.print(f"[yellow]{escape_markup(explain(text))}[/]", soft_wrap=True)

    def on_up_to_date(self, counts: Counter[Outcome]) -> None:
        self._bars.clear()
        if not self._json:
            counts_text = format_counts(counts) if counts else _("no files yet")
            out.print(f"[dim]{_('{counts}; watching', counts=counts_text)}[/]")
            sys.stdout.flush()
