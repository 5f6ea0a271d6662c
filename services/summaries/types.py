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
    """A section of a video, told: its title, its span, the picture that stands for it, what is to be said of it."""

    title: str
    start_s: float
    end_s: float
    key_frame: PictureRef | None
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """All of a video in a few sentences, and its chapters, which cover it without a gap."""

    statements: tuple[Statement, ...]
    chapters: tuple[Chapter, ...]
