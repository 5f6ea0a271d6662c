"""Reciprocal rank fusion: ranks of several lanes add up."""

from __future__ import annotations

import pytest

from indexer.types import AssetKind, Hit, Lane, Origin, Segment
from services.search.fusion import LaneRanking, fuse

RRF_K = 60


def _ranking(lane: Lane, *hits: tuple[int, float], weight: float = 1.0) -> LaneRanking:
    """A ranking of segments of one asset, by ordinal and calibrated score."""
    segments = [(Segment(ordinal, Origin.PICTURE), score) for ordinal, score in hits]
    return LaneRanking(
        lane, weight, tuple(Hit("a" * 64, AssetKind.VIDEO, lane, segment, score) for segment, score in segments)
    )


def test_a_segment_of_two_lanes_comes_before_the_first_of_one() -> None:
    fused = fuse([_ranking(Lane.VISUAL, (1, 0.9), (2, 0.8)), _ranking(Lane.TEXT, (3, 0.9), (2, 0.7))], RRF_K)
    assert [entry.segment.ordinal for entry in fused] == [2, 1, 3]
    assert fused[0].lane_scores == {Lane.VISUAL: 0.8, Lane.TEXT: 0.7}
    assert fused[0].rrf_score == pytest.approx(2 / 62)
    assert fused[1].rrf_score == pytest.approx(1 / 61)


def test_the_weight_of_a_lane_scales_its_share() -> None:
    fused = fuse([_ranking(Lane.VISUAL, (1, 0.9)), _ranking(Lane.TEXT, (2, 0.6), weight=2.0)], RRF_K)
    assert [entry.segment.ordinal for entry in fused] == [2, 1]


def test_a_lane_that_was_searched_twice_counts_with_its_best_score() -> None:
    (entry,) = fuse([_ranking(Lane.VISUAL, (1, 0.6)), _ranking(Lane.VISUAL, (1, 0.9))], RRF_K)
    assert entry.lane_scores == {Lane.VISUAL: 0.9}
    assert entry.rrf_score == pytest.approx(2 / 61)
