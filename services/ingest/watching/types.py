"""Values of watching: the folder of a collection, and who is told what becomes of its files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.ingest.types import FileReport, Outcome


@dataclass(frozen=True, slots=True)
class WatchedFolder:
    """A folder that a collection is kept in step with."""

    collection: str
    path: Path


class WatchListener(Protocol):
    """Is told what happens while folders are watched, in the thread that watches."""

    def on_progress(self, name: str, done: float, total: float | None) -> None:
        """Take the progress of a file: seconds of video or pages done, and in total (None: unknown)."""
        ...

    def on_report(self, report: FileReport) -> None:
        """Take what became of a file."""
        ...

    def on_notice(self, text: str) -> None:
        """Take a sentence on a folder that is away or back, or on what has to be waited for."""
        ...

    def on_up_to_date(self, counts: Counter[Outcome]) -> None:
        """Take what became of the files since the last call: nothing is left to do until something changes."""
        ...
