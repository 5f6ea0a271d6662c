"""`afterimage summarize`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.chapters import as_markdown, as_webvtt
from api.cli.console import err, plain, print_json, services
from api.cli.evidence import save_chapters
from api.cli.options import Json
from api.schemas import SummaryShape
from services.summarizing import Progress as Report


class Format(StrEnum):
    """What a summary is written as."""

    MARKDOWN = "markdown"
    WEBVTT = "webvtt"


def summarize(
    asset: Annotated[str, typer.Argument(help="A video: its id (or how it begins), name or path.")],
    form: Annotated[
        Format, typer.Option("--format", "-f", help="markdown, or webvtt: a chapters track for players.")
    ] = Format.MARKDOWN,
    pictures: Annotated[
        Path | None, typer.Option("--save-evidence", metavar="DIR", help="Write the key frame of every chapter.")
    ] = None,
    json: Json = False,
) -> None:
    """Summarize a video: chapters where its content changes, what each shows, and all of it in a few sentences.

    A stopped run goes on where it was; a finished summary is kept, so that asking again costs nothing.
    """
    with services() as container, _bar() as report:
        found = container.catalog.find(asset)
        summary = container.summarizing.summarize(found, report)
        if pictures is not None:
            save_chapters(container.artifacts, found.name, summary.chapters, pictures)
    if json:
        print_json(SummaryShape.of(found, summary))
    else:
        typer.echo(as_webvtt(summary) if form is Format.WEBVTT else as_markdown(found, summary))


@contextmanager
def _bar() -> Iterator[Report]:
    """A bar on standard error, where that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(plain("sections"), total=None)
        yield lambda done, all_of_them: bar.update(task, completed=done, total=all_of_them)
