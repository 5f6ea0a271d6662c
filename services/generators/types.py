"""Value types of generators: evidence, quotes of it, draft sentences."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.types import Segment, TimeSpan
from memory.types import Tokens
from services.catalog.types import Asset
from services.search.types import RetrievedSegment


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of the material that an answer is generated from.

    `id` is `F7` for a moment of a video, `P2` for a page, `I3` for an image and `M4` for a slot of a video's memory,
    whose segment is the slot's span with its medoid frame. `visual_tokens` are `[n, D]`, where a generator made them.
    """

    id: str
    result: RetrievedSegment
    visual_tokens: Tokens | None = None

    @property
    def asset(self) -> Asset:
        """Asset that the evidence is of."""
        return self.result.asset

    @property
    def segment(self) -> Segment:
        """Segment that the evidence is."""
        return self.result.segment

    @property
    def text(self) -> str:
        """Text of the segment, empty where it has none."""
        return self.result.segment.text

    @property
    def span(self) -> TimeSpan | None:
        """Time span of the segment, None for a page or an image."""
        return self.result.segment.span


@dataclass(frozen=True, slots=True)
class Quote:
    """Reference of a draft sentence to its evidence: characters `[start, end)` of the evidence's text, or (0, 0) for
    its picture."""

    evidence_id: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class DraftSentence:
    """Sentence of an answer before verification. `score` is the generator's own confidence in it, in [0, 1]."""

    text: str
    quotes: tuple[Quote, ...]
    score: float
