"""Command `afterimage summarize`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.cli.console import STOPPED_RESUMABLE, err, escape_markup, open_container, print_json
from api.cli.evidence import save_chapters
from api.cli.messages import translate as _
from api.cli.options import JsonOption
from api.schemas.results import SummaryShape
from api.schemas.summary_formats import format_markdown, format_webvtt
from services.summaries.summarizing import SectionProgressCallback as Report


class SummaryFormat(StrEnum):
    """Text format of a summary."""

    MARKDOWN = "markdown"
    WEBVTT = "webvtt"


def summarize(
    asset: Annotated[str, typer.Argument(help="A video: its id (or how it begins), name or path.")],
    summary_format: Annotated[
        SummaryFormat, typer.Option("--format", "-f", help="markdown, or webvtt: a chapters track for players.")
    ] = SummaryFormat.MARKDOWN,
    evidence_folder: Annotated[
        Path | None, typer.Option("--save-evidence", metavar="DIR", help="Write the key frame of every chapter.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Summarize a video: chapters where its content changes, what each shows, and all of it in a few sentences.

    An interrupted run continues where it stopped; a finished summary is stored and printed at once.
    """
    with open_container(when_stopped=STOPPED_RESUMABLE) as container, _progress_bar() as report:
        video = container.catalog.find(asset)
        summary = container.summarizing.summarize(video, report)
        if evidence_folder is not None:
            save_chapters(container.artifacts, video.name, summary.chapters, evidence_folder)
    if json:
        print_json(SummaryShape.of(video, summary))
    else:
        typer.echo(
            format_webvtt(summary) if summary_format is SummaryFormat.WEBVTT else format_markdown(video, summary)
        )


@contextmanager
def _progress_bar() -> Iterator[Report]:
    """Show a progress bar on standard error, where that is a terminal; yield the callback that updates it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(escape_markup(_("sections")), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
