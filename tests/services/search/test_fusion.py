"""Fusion of rankings by calibrated score: what is far above the cut of one lane comes before what is just above two."""

from __future__ import annotations

from dataclasses import replace

import pytest

from indexer.types import AssetKind, Hit, Lane, Origin, Segment
from services.search.curves import LogisticCurve
from services.search.fusion import (
    FOREIGN_KEYWORDS_LOGIT,
    FusionSettings,
    LaneRanking,
    fuse,
    rank_hits,
    tells_of_texts,
)


def _ranking(
    lane: Lane, *hits: tuple[int, float], weight: float = 1.0, floor: float = -4.0, origin: Origin = Origin.PAGE
) -> LaneRanking:
    """A ranking of segments of one asset, by ordinal and logit."""
    segments = [(Segment(ordinal, origin), logit) for ordinal, logit in hits]
    found = tuple(Hit("a" * 64, AssetKind.DOCUMENT, lane, segment, logit) for segment, logit in segments)
    return LaneRanking(lane, weight, found, floor)


def test_a_sure_lane_outweighs_the_first_hit_of_an_unsure_one() -> None:
    fused = fuse([_ranking(Lane.TEXT, (1, 0.5), (2, -1.0)), _ranking(Lane.KEYWORDS, (3, 3.5), (1, -3.0), (2, -3.0))])
    assert [entry.segment.ordinal for entry in fused] == [3, 1, 2]
    assert fused[0].fused_score == pytest.approx((3.5 - 4.0) / 2)
    assert fused[1].lane_logits == {Lane.TEXT: 0.5, Lane.KEYWORDS: -3.0}


def test_a_segment_of_two_lanes_comes_before_one_that_a_lane_missed() -> None:
    fused = fuse([_ranking(Lane.TEXT, (1, 2.0), (2, 1.5)), _ranking(Lane.KEYWORDS, (2, 1.0), floor=-2.0)])
    assert [entry.segment.ordinal for entry in fused] == [2, 1]
    assert [entry.fused_score for entry in fused] == pytest.approx([1.25, 0.0])


def test_lanes_that_a_kind_of_segment_cannot_be_in_do_not_count() -> None:
    pictures = _ranking(Lane.VISUAL, (7, 1.0), origin=Origin.PICTURE)
    fused = fuse([pictures, _ranking(Lane.TEXT, (1, 2.0)), _ranking(Lane.KEYWORDS, (1, -1.0))])
    assert [(entry.segment.ordinal, entry.fused_score) for entry in fused] == [(7, 1.0), (1, 0.5)]


def test_the_weight_of_a_lane_scales_its_share() -> None:
    rankings = [_ranking(Lane.TEXT, (1, 2.0), weight=3.0), _ranking(Lane.KEYWORDS, (1, -2.0))]
    assert fuse(rankings)[0].fused_score == pytest.approx(1.0)
    assert fuse([_ranking(Lane.TEXT, (1, 2.0), weight=0.0)])[0].fused_score == 0.0


def test_a_lane_that_was_searched_twice_counts_twice_and_shows_its_best_score() -> None:
    words = _ranking(Lane.VISUAL, (1, 0.6), origin=Origin.PICTURE)
    (entry,) = fuse([words, _ranking(Lane.VISUAL, (1, 2.0), origin=Origin.PICTURE)])
    assert entry.lane_logits == {Lane.VISUAL: 2.0}
    assert entry.fused_score == pytest.approx(1.3)


def test_a_text_in_another_language_loses_little_by_not_having_the_words() -> None:
    german, english = "Das Boot liegt am Steg und wird nicht bewegt.", "The boat lies at the landing stage of the town."
    by_vector = (_text_hit(Lane.TEXT, 1, german, 2.0), _text_hit(Lane.TEXT, 2, english, 3.0))
    by_words = (_text_hit(Lane.KEYWORDS, 1, german, -3.5),)
    rankings = [LaneRanking(Lane.TEXT, 1.0, by_vector, -6.0), LaneRanking(Lane.KEYWORDS, 1.0, by_words, -6.0)]
    assert [entry.segment.ordinal for entry in fuse(rankings)] == [1, 2]
    foreign = fuse(rankings, "Wo liegt denn das Boot am heutigen Tage?")
    assert [entry.segment.ordinal for entry in foreign] == [2, 1]
    assert foreign[0].fused_score == pytest.approx((3.0 + FOREIGN_KEYWORDS_LOGIT) / 2)


def test_fused_scores_of_texts_are_calibrated_and_those_of_pictures_are_not() -> None:
    pictures = _ranking(Lane.VISUAL, (7, 1.0), origin=Origin.PICTURE)
    texts = [_ranking(Lane.TEXT, (1, 2.0)), _ranking(Lane.KEYWORDS, (1, -1.0))]
    assert tells_of_texts(texts)
    assert not tells_of_texts([pictures, texts[0]])
    fused = fuse([pictures, *texts], text_curve=LogisticCurve(0.25, 0.125))
    assert [(entry.segment.ordinal, entry.fused_score) for entry in fused] == [(1, 2.0), (7, 1.0)]


def test_a_text_that_no_lane_found_counts_as_the_last_one_that_it_did() -> None:
    settings, curve = FusionSettings(2, {"keywords": 0.5}), LogisticCurve(0.5, 0.1)
    hits = [_text_hit(Lane.TEXT, 1, "a", 0.9), _text_hit(Lane.TEXT, 2, "b", 0.7)]
    ranking = rank_hits(Lane.TEXT, hits, curve, settings)
    assert (ranking.weight, ranking.floor) == (1.0, pytest.approx(2.0))
    assert [hit.score for hit in ranking.hits] == pytest.approx([4.0, 2.0])
    words = rank_hits(Lane.KEYWORDS, [replace(hits[0], lane=Lane.KEYWORDS)], curve, settings)
    assert (words.weight, words.floor) == (0.5, pytest.approx(-5.0))


def _text_hit(lane: Lane, ordinal: int, text: str, score: float) -> Hit:
    return Hit("a" * 64, AssetKind.DOCUMENT, lane, Segment(ordinal, Origin.PAGE, text=text), score)
