"""Progress on standard error: a bar for the file that is indexed, or for scores that are measured first."""

from __future__ import annotations

from functools import partial

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from api.cli.console import err, escape_markup, out
from api.cli.messages import translate as _
from services.container import Container
from services.ingest.types import MEASURING_SCORES


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
            shown = _(name) if name == MEASURING_SCORES else name
            self._task, self._name = self._progress.add_task(escape_markup(shown), total=total), name
        self._progress.update(self._task, completed=done, total=total)

    def clear(self) -> None:
        """Remove the bar until the next update."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None


def prepare_scores(container: Container) -> None:
    """Measure the scores that a search needs and no run has measured, under a bar: it may take a minute."""
    with ProgressBars() as bars:
        container.calibration.prepare(partial(bars.update, MEASURING_SCORES))
