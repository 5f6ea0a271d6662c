"""Values of search: queries, retrieved segments, moments."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.types import Lane, Pixels, Segment
from services.catalog.types import Asset


@dataclass(frozen=True, slots=True)
class Query:
    """Search query: text, a picture, or both."""

    text: str = ""
    picture: Pixels | None = None


@dataclass(frozen=True, slots=True)
class AnswerUnit:
    """Characters `[start, end)` of a passage that can be an answer: a sentence, a line, a row of a table.

    `probability` is that of being a right answer.
    """

    start: int
    end: int
    probability: float


@dataclass(frozen=True, slots=True)
class RetrievedSegment:
    """Segment that a search found, above the cut unless less was asked for.

    `score` is calibrated, in (0, 1), where 0.5, the cut, is what the best unrelated queries reach: that of the visual
    lane for a picture, that of both text lanes together for a text. `lane_scores` has those of the lanes that are above
    the cut by themselves, or of the best lane. `fused_score` (`services.search.fusion`) orders results.
    `answer_units` are what a reader found in its text, where it was read for an answer.
    """

    asset: Asset
    segment: Segment
    score: float
    lane_scores: dict[Lane, float]
    fused_score: float
    answer_units: tuple[AnswerUnit, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """Search result: a span of a video, a page or an image, with the best segment found there."""

    asset: Asset
    best_segment: Segment
    start_s: float | None
    end_s: float | None
    score: float
    lane_scores: dict[Lane, float]
