"""Values that generators read and write: evidence, quotes of it, draft sentences."""

from __future__ import annotations

from dataclasses import dataclass

from memory.types import Tokens
from services.search.types import RetrievedSegment


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of the material an answer is made from. Ids: `F7` (video), `P2` (page), `I3` (image), `M4` (a slot of a
    video's memory: its span and its medoid picture, and its visual tokens where a generator made them)."""

    id: str
    result: RetrievedSegment
    visual_tokens: Tokens | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """What a draft sentence points to: characters `[start, end)` of the text of a piece of evidence, or (0, 0) for
    the picture itself."""

    evidence_id: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class DraftSentence:
    """A sentence as a generator says it, not yet verified. `score` is the generator's own, in [0, 1]."""

    text: str
    quotes: tuple[Quote, ...]
    score: float
