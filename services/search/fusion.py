"""Score fusion of the lanes' rankings: how far a segment is above the cut of each lane.

Scores are logits of the calibration (`LogisticCurve.logit`): 0 at a lane's cut, and one unit means equally much in
every lane. A segment's fused score is the weighted mean over the rankings that its kind of segment can be in: pictures
are in those of the visual lane, texts in those of the other two (decision 0117). By places alone, the first hit of an
unsure lane would tie with that of a sure one.

A text in another language than the query cannot have its words. That the keywords lane does not find it says little,
so its logit there is at least `FOREIGN_KEYWORDS_LOGIT` (decision 0121).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from indexer.types import Hit, Lane, Origin, Segment

FOREIGN_KEYWORDS_LOGIT = -4.0
"""Chosen: a text without a word of the query has -6 or so, one with a few common words -3 (decision 0121)."""


@dataclass(frozen=True, slots=True)
class LaneRanking:
    """Hits of one lane, best first, with logits for scores; `weight` is the lane's in the fusion.

    `floor` is the logit that counts for a segment that the lane did not find.
    """

    lane: Lane
    weight: float
    hits: tuple[Hit, ...]
    floor: float


@dataclass(slots=True)
class FusedSegment:
    """Segment of an asset with its fused score, and the logit in each lane that found it (the best of several)."""

    asset_id: str
    segment: Segment
    lane_logits: dict[Lane, float] = field(default_factory=dict)
    fused_score: float = 0.0


def fuse(
    rankings: Sequence[LaneRanking], is_foreign: Callable[[Segment], bool] = lambda _: False
) -> list[FusedSegment]:
    """Fuse rankings by their logits; return the segments, best first (ties by asset id and ordinal).

    A lane may have several rankings (words and a picture in the visual lane); all of them count. `is_foreign` tells
    that a segment is in another language than the query.
    """
    fused: dict[tuple[str, int], FusedSegment] = {}
    logits: dict[tuple[str, int], dict[int, float]] = {}
    for number, ranking in enumerate(rankings):
        for hit in ranking.hits:
            key = (hit.asset_id, hit.segment.ordinal)
            entry = fused.setdefault(key, FusedSegment(hit.asset_id, hit.segment))
            entry.lane_logits[ranking.lane] = max(hit.score, entry.lane_logits.get(ranking.lane, hit.score))
            logits.setdefault(key, {})[number] = hit.score
    for key, entry in fused.items():
        least = FOREIGN_KEYWORDS_LOGIT if is_foreign(entry.segment) else -math.inf
        entry.fused_score = _weighted_mean(rankings, logits[key], entry.segment, least)
    return sorted(fused.values(), key=lambda entry: (-entry.fused_score, entry.asset_id, entry.segment.ordinal))


def _weighted_mean(
    rankings: Sequence[LaneRanking], logits: dict[int, float], segment: Segment, least_of_keywords: float
) -> float:
    """Return the weighted mean of a segment's logits over the rankings that it can be in, 0 where all weigh nothing."""
    total = weights = 0.0
    for number, ranking in enumerate(rankings):
        if (ranking.lane is Lane.VISUAL) == (segment.origin is Origin.PICTURE):
            logit = logits.get(number, ranking.floor)
            total += ranking.weight * (max(logit, least_of_keywords) if ranking.lane is Lane.KEYWORDS else logit)
            weights += ranking.weight
    return total / weights if weights else 0.0
