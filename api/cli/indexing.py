"""`afterimage index`, `delete` and `reindex`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from api.cli.console import EXIT_FAILED, err, out, plain, print_json, services
from api.cli.options import Json
from services.indexing import Indexed, Outcome

_COLOURS = {Outcome.INDEXED: "green", Outcome.UPDATED: "green", Outcome.UNCHANGED: "dim", Outcome.FAILED: "red"}


class _Rate(ProgressColumn):
    """How fast it goes: seconds of video, pages or assets, per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="dim")


class _Bars:
    """A bar for the file at work, on standard error."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            _Rate(),
            TimeRemainingColumn(),
        )
        self._progress = Progress(
            *columns, console=err, transient=True, redirect_stdout=out.is_terminal, disable=not err.is_terminal
        )
        self._task: TaskID | None = None
        self._name = ""

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, name: str, done: float, total: float | None) -> None:
        if self._task is None or name != self._name:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task, self._name = self._progress.add_task(plain(name), total=total), name
        self._progress.update(self._task, completed=done, total=total)


def _named(collection: str) -> str:
    if not collection.strip():
        raise typer.BadParameter("a collection needs a name")
    return collection


def index(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders; folders are searched through.")],
    collection: Annotated[
        str, typer.Option("--collection", "-c", help="The collection to put them in.", callback=_named)
    ] = "default",
    json: Json = False,
) -> None:
    """Index videos, photos and documents.

    Running it again costs nothing for what did not change, and goes on where a stopped run left off. Every file that
    cannot be indexed gets one line that says why; the others go on, and the exit code is 1.
    """
    lines: list[Indexed] = []
    try:
        with services() as container, _Bars() as bars:
            for line in container.indexing.index(paths, collection, bars.update):
                lines.append(line)
                if not json:
                    _print_line(line)
    finally:
        if json:
            print_json({"sources": [_shape(line) for line in lines]})
    counts = Counter(line.outcome for line in lines)
    if not json:
        out.print(_summary(counts))
    raise typer.Exit(EXIT_FAILED if counts[Outcome.FAILED] else 0)


def delete(
    asset: Annotated[str, typer.Argument(help="An asset: its id (or how it begins), name or path.")],
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Only from this collection; default: from all.")
    ] = None,
    json: Json = False,
) -> None:
    """Delete an asset from the archive. Its source file is not touched.

    With the last collection that held it, everything computed for it goes: index, artifacts, pictures.
    """
    with services() as container:
        gone = container.indexing.delete(asset, collection)
    if json:
        print_json(
            {
                "asset": gone.asset.asset_id,
                "name": gone.asset.name,
                "collections": list(gone.collections),
                "segments": gone.segments,
                "files": gone.files,
            }
        )
        return
    out.print(f"{plain(gone.asset.name)}: removed from {plain(', '.join(gone.collections))}", end="; ")
    out.print(f"{gone.segments} segments and {gone.files} stored files deleted")


def reindex(json: Json = False) -> None:
    """Rebuild the index from the stored artifacts, without the sources.

    Also the way to a new model: what was encoded by another one is encoded again from the stored key frames and texts.
    The old index serves until the new one is complete.
    """
    with services() as container, _Bars() as bars:
        done = container.reindexing.reindex(bars.update)
    if json:
        print_json(
            {
                "assets": done.assets,
                "segments": done.segments,
                "encoded_again": done.encoded_again,
                "cleared": done.cleared,
                "damaged": list(done.damaged),
            }
        )
    else:
        out.print(f"{done.assets} assets, {done.segments} segments; {done.encoded_again} encoded again", end="")
        out.print(f", {done.cleared} leftovers cleared" if done.cleared else "")
        for line in done.damaged:
            err.print(f"[red]damaged:[/] {plain(line)}", soft_wrap=True)
    raise typer.Exit(EXIT_FAILED if done.damaged else 0)


def _summary(counts: Counter[Outcome]) -> str:
    said = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
    if counts.keys() <= {Outcome.PASSED_OVER}:
        return "no video, photo or PDF found" + (f" ({said})" if said else "")
    return said


def _print_line(line: Indexed) -> None:
    if line.outcome is Outcome.PASSED_OVER:
        return
    console = err if line.outcome is Outcome.FAILED else out
    reason = f": {plain(line.reason)}" if line.reason else ""
    console.print(f"[{_COLOURS[line.outcome]}]{line.outcome}[/] {plain(line.name)}{reason}", soft_wrap=True)


def _shape(line: Indexed) -> dict[str, object]:
    key = None if line.asset is None else line.asset.asset_id
    return {"name": line.name, "outcome": line.outcome.value, "asset": key, "reason": line.reason}
