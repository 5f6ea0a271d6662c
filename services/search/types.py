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
class RetrievedSegment:
    """Segment above the cut of at least one lane.

    `lane_scores` holds the calibrated score of each lane that found it, `score` the best of them; both in (0.5, 1),
    where 0.5 is what the best unrelated queries reach. `rrf_score` is the fused reciprocal rank that orders results.
    """

    asset: Asset
    segment: Segment
    score: float
    lane_scores: dict[Lane, float]
    rrf_score: float


@dataclass(frozen=True, slots=True)
class Moment:
    """Search result: a span of a video, a page or an image, with the best segment found there."""

    asset: Asset
    best_segment: Segment
    start_s: float | None
    end_s: float | None
    score: float
    lane_scores: dict[Lane, float]
