"""Ground truth of the sample archive: one fact for each text that was drawn, printed or spoken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from indexer.types import AssetKind, Box

TextSource: TypeAlias = Literal["subtitle", "screen", "speech", "photo", "page", "scan"]

TRUTH_FILE_NAME = "truth.json"


@dataclass(frozen=True, slots=True)
class Fact:
    """A text and its location in the archive.

    `file` is relative to the archive's root. `page` counts from 1, `[start_s, end_s)` is the time on screen or of the
    subtitle cue, `box` is in fractions of the upright picture; what does not apply is None.
    """

    id: str
    file: str
    kind: AssetKind
    where: TextSource
    text: str
    page: int | None = None
    start_s: float | None = None
    end_s: float | None = None
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class ArchiveTruth:
    """The ground truth of an archive: its facts, file by file."""

    about: str
    facts: tuple[Fact, ...]


def write_truth(root: Path, facts: Iterable[Fact]) -> Path:
    """Write `truth.json` at the root of an archive; returns its path."""
    truth = ArchiveTruth("Ground truth of an invented archive; not a part of it.", tuple(facts))
    return write_json(root / TRUTH_FILE_NAME, truth)


def write_json(path: Path, value: object) -> Path:
    """Write dataclasses as indented JSON; returns the path."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")
    return path


def read_truth(root: Path) -> ArchiveTruth:
    """Read an archive's `truth.json`. Errors: msgspec.ValidationError where the file has another shape."""
    return msgspec.json.decode((root / TRUTH_FILE_NAME).read_bytes(), type=ArchiveTruth)
