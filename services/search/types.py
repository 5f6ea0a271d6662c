"""Values of search: queries, retrieved segments, moments."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.types import Lane, Pixels, Segment
from services.catalog.types import Asset


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: words, a picture, or both."""

    text: str = ""
    picture: Pixels | None = None


@dataclass(frozen=True, slots=True)
class RetrievedSegment:
    """A segment that survived the cut of at least one lane.

    `lanes` holds the calibrated score of each lane that found it, `score` the best of them; both in (0.5, 1), where
    0.5 is what the best of the unrelated queries reach. `rank` is the fused reciprocal rank that orders results.
    """

    asset: Asset
    segment: Segment
    score: float
    lane_scores: dict[Lane, float]
    rrf_score: float


@dataclass(frozen=True, slots=True)
class Moment:
    """What a search gives: a span of a video, a page, or a picture, with the best segment found there."""

    asset: Asset
    best_segment: Segment
    start_s: float | None
    end_s: float | None
    score: float
    lane_scores: dict[Lane, float]
