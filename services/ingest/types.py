"""Values of ingestion: what became of a file, what a deletion removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from services.catalog.types import Asset

FileProgressCallback: TypeAlias = Callable[[str, float, float | None], None]
"""Called with a file's name, the amount done and the total (seconds of video or pages; None: unknown)."""


MEASURING_SCORES = "measuring scores"
"""Name under which the calibration after a run reports its progress, instead of a file's."""


class Outcome(StrEnum):
    """The result of indexing one file.

    Subtitle files are no assets: `unmatched` belongs to no recording, `sidecar` was named itself and is read with its
    recording.
    """

    INDEXED = "indexed"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    UNMATCHED = "unmatched"
    SIDECAR = "sidecar"
    FAILED = "failed"
    MOVED = "moved"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file's line in the report of an indexing run. `reason` is why it failed, what a subtitle file
    belongs to, or its warnings."""

    name: str
    outcome: Outcome
    asset: Asset | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DeletionReport:
    """The result of a deletion: collections that the asset left, index rows and files that were removed."""

    asset: Asset
    collections: tuple[str, ...]
    segments: int
    files: int
