"""Values of summaries: chapters and their verified statements."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.types import PictureRef
from services.answering.types import Verdict


@dataclass(frozen=True, slots=True)
class Statement:
    """A verified sentence and the time `[start_s, end_s)` of what it cites."""

    text: str
    verdict: Verdict
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Chapter:
    """Chapter of a video: title, span `[start_s, end_s)`, key frame and verified statements."""

    title: str
    start_s: float
    end_s: float
    key_frame: PictureRef | None
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """Summary of a video: statements about the whole, and chapters that cover it without gaps."""

    statements: tuple[Statement, ...]
    chapters: tuple[Chapter, ...]
