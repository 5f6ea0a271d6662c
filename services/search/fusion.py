"""Reciprocal rank fusion of the lanes' rankings.

Source: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
Methods", SIGIR 2009. A segment's score is the sum of `weight / (rrf_k + rank)` over the rankings that contain it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from indexer.types import Hit, Lane, Segment


@dataclass(frozen=True, slots=True)
class LaneRanking:
    """Hits of one lane, best first, with calibrated scores; `weight` is the lane's in the fusion."""

    lane: Lane
    weight: float
    hits: tuple[Hit, ...]


@dataclass(slots=True)
class FusedSegment:
    """Segment of an asset with its fused score and the calibrated score of each lane that found it."""

    asset_id: str
    segment: Segment
    lane_scores: dict[Lane, float] = field(default_factory=dict)
    rrf_score: float = 0.0


def fuse(rankings: Iterable[LaneRanking], rrf_k: int) -> list[FusedSegment]:
    """Fuse rankings by reciprocal rank; return the segments, best first (ties by asset id and ordinal).

    A lane may have several rankings (words and a picture in the visual lane); its best score counts then.
    """
    fused: dict[tuple[str, int], FusedSegment] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking.hits, 1):
            entry = fused.setdefault((hit.asset_id, hit.segment.ordinal), FusedSegment(hit.asset_id, hit.segment))
            entry.lane_scores[ranking.lane] = max(hit.score, entry.lane_scores.get(ranking.lane, 0.0))
            entry.rrf_score += ranking.weight / (rrf_k + rank)
    return sorted(fused.values(), key=lambda entry: (-entry.rrf_score, entry.asset_id, entry.segment.ordinal))
