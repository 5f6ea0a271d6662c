"""Score fusion of the lanes' rankings: how far a segment is above the cut of each lane.

Scores are logits of the calibration (`LogisticCurve.logit`): 0 at a lane's cut, and one unit means equally much in
every lane. A segment's fused score is the weighted mean over the rankings that its kind of segment can be in: pictures
are in those of the visual lane, texts in those of the other two (decision 0117). By places alone, the first hit of an
unsure lane would tie with that of a sure one.

A text in another language than the query cannot have its words. That the keywords lane does not find it says little,
so its logit there is at least `FOREIGN_KEYWORDS_LOGIT` (decision 0121).

The fused scores of texts are calibrated once more, against the best fused scores of null queries, where two lanes tell
of texts: two lanes that are both nearly sure are sure together (decision 0122).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from indexer.text.language import identify_language
from indexer.types import Hit, Lane, Origin, Segment
from services.search.curves import LogisticCurve

FOREIGN_KEYWORDS_LOGIT = -4.0
"""Chosen: a text without a word of the query has -6 or so, one with a few common words -3 (decision 0121)."""


@dataclass(frozen=True, slots=True)
class FusionSettings:
    """What the fused scores depend on: how many hits each lane gives, and how much it weighs (1 if not named)."""

    top_k_per_lane: int
    lane_weights: Mapping[str, float]

    def weight(self, lane: Lane) -> float:
        """Return the weight of a lane."""
        return self.lane_weights.get(lane.value, 1.0)


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


def rank_hits(lane: Lane, hits: Sequence[Hit], curve: LogisticCurve, settings: FusionSettings) -> LaneRanking:
    """Return the ranking of a lane's hits, best first, whose own scores become logits by the lane's curve."""
    # A text without a word of the query has no score; any other that was not found is at most as near as the last.
    misses_score_nothing = lane is Lane.KEYWORDS and len(hits) < settings.top_k_per_lane
    floor = curve.logit(0.0 if misses_score_nothing or not hits else hits[-1].score)
    scored = tuple(replace(hit, score=curve.logit(hit.score)) for hit in hits)
    return LaneRanking(lane, settings.weight(lane), scored, floor)


def fuse(
    rankings: Sequence[LaneRanking], query: str = "", text_curve: LogisticCurve | None = None
) -> list[FusedSegment]:
    """Fuse rankings by their logits; return the segments, best first (ties by asset id and ordinal).

    A lane may have several rankings (words and a picture in the visual lane); all of them count. The language of
    `query` tells which texts are in another one. `text_curve` calibrates the fused scores of texts.
    """
    fused: dict[tuple[str, int], FusedSegment] = {}
    logits: dict[tuple[str, int], dict[int, float]] = {}
    for number, ranking in enumerate(rankings):
        for hit in ranking.hits:
            key = (hit.asset_id, hit.segment.ordinal)
            entry = fused.setdefault(key, FusedSegment(hit.asset_id, hit.segment))
            entry.lane_logits[ranking.lane] = max(hit.score, entry.lane_logits.get(ranking.lane, hit.score))
            logits.setdefault(key, {})[number] = hit.score
    is_foreign = _foreign_to(query)
    for key, entry in fused.items():
        is_text = entry.segment.origin is not Origin.PICTURE
        least = FOREIGN_KEYWORDS_LOGIT if is_text and is_foreign(entry.segment.text) else -math.inf
        mean = _weighted_mean(rankings, logits[key], entry.segment, least)
        entry.fused_score = text_curve.logit(mean) if text_curve is not None and is_text else mean
    return sorted(fused.values(), key=lambda entry: (-entry.fused_score, entry.asset_id, entry.segment.ordinal))


def tells_of_texts(rankings: Sequence[LaneRanking]) -> bool:
    """Return True where the fused score of a text is that of both text lanes, not of one alone."""
    return {Lane.TEXT, Lane.KEYWORDS} <= {ranking.lane for ranking in rankings}


def _foreign_to(query: str) -> Callable[[str], bool]:
    """Return what tells that a text is in another language than a query; False where that is not known."""
    language = identify_language(query)
    return lambda text: language is not None and identify_language(text) not in (language, None)


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
