"""When something happens, and how often, is told by the moments that show it, whatever a model says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from indexer.types import AssetKind, Origin, PictureRef, Segment
from services.answering.grounding import VerdictThresholds
from services.answering.rules.claim_verification import RuleClaimVerifier
from services.answering.rules.temporal_attribution import (
    correct_occurrence_count,
    correct_timestamps,
    distinct_moments,
    parse_occurrence_count,
)
from services.answering.types import Verdict
from services.catalog.types import Asset
from services.generators.types import DraftSentence, Evidence, Quote
from services.search.types import RetrievedSegment

FILM = Asset("f" * 64, "v", AssetKind.VIDEO, "film.mp4", 6000.0, None, 480, 270, 0.0, 1, 1, (), 0.0)
OTHER_FILM = Asset("e" * 64, "v", AssetKind.VIDEO, "film at 12:30.mp4", 6000.0, None, 480, 270, 0.0, 1, 1, (), 0.0)


def _make_evidence(name: str, start_s: float, end_s: float, asset: Asset = FILM) -> Evidence:
    segment = Segment(0, Origin.PICTURE, start_s, end_s, picture=PictureRef(name, 0, 1))
    return Evidence(name, RetrievedSegment(asset, segment, 0.9, {}, 0.1))


DOG, CAT, DOG_AGAIN = _make_evidence("F1", 13, 15), _make_evidence("F2", 1362, 1365), _make_evidence("F3", 2061, 2066)
EVIDENCE = [DOG, CAT, DOG_AGAIN]


def _dog_scores(sentence: str, evidence: Sequence[Evidence]) -> list[float]:
    assert "time" not in sentence
    return [float("dog" in sentence and one.id in ("F1", "F3")) for one in evidence]


def _draft(text: str, *ids: str) -> DraftSentence:
    return DraftSentence(text, tuple(Quote(one) for one in ids), 0.5)


@pytest.mark.parametrize(
    ("text", "cited", "told"),
    [
        ("A dog appears at 00:22:13.", [DOG], "A dog appears at 00:00:13."),
        ("A dog appears at 00:00:14.", [DOG], "A dog appears at 00:00:14."),
        (
            "The dog was seen first, at 00:12:26, before the cat, at 00:15:21.",
            [DOG, CAT],
            "The dog was seen first, at 00:00:13, before the cat, at 00:22:42.",
        ),
        ("From 00:12:26 to 00:15:21 a dog is seen.", [DOG], "From 00:00:13 to 00:00:13 a dog is seen."),
        ("A dog at 00:50:00.", [DOG, CAT], "A dog at 00:50:00."),
        ("A dog can be seen.", [DOG], "A dog can be seen."),
        (
            "At 00:50:00 in film at 12:30.mp4.",
            [_make_evidence("F4", 1, 2, OTHER_FILM)],
            "At 00:50:00 in film at 12:30.mp4.",
        ),
    ],
)
def test_times_are_those_of_what_is_cited(text: str, cited: list[Evidence], told: str) -> None:
    assert correct_timestamps(_draft(text), cited).text == told


def test_photos_and_pages_have_no_time_to_give() -> None:
    photo = Evidence("I1", replace(DOG.result, segment=Segment(0, Origin.PICTURE, picture=PictureRef("i", 0, 1))))
    draft = _draft("A dog at 00:50:00.", "I1")
    assert correct_timestamps(draft, [photo]) == draft


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("A dog appears two times.", ("A dog appears.", 2)),
        ("A dog appears twice.", ("A dog appears.", 2)),
        ("A dog appears 14 times.", ("A dog appears.", 14)),
        ("A dog appears many times.", ("A dog appears.", -1)),
        ("A dog appears.", None),
    ],
)
def test_a_sentence_says_how_often(text: str, told: tuple[str, int] | None) -> None:
    assert parse_occurrence_count(text) == told


def test_how_often_is_counted_and_each_moment_cited() -> None:
    told = correct_occurrence_count(_draft("A dog appears one time.", "F1"), EVIDENCE, _dog_scores, 0.5)
    assert (told.text, told.quotes) == ("A dog appears two times.", (Quote("F1"), Quote("F3")))


@pytest.mark.parametrize("text", ["A cat appears one time.", "A dog appears many times.", "A dog appears."])
def test_what_nothing_shows_or_nobody_counted_stays_as_it_was_said(text: str) -> None:
    draft = _draft(text, "F2")
    assert correct_occurrence_count(draft, EVIDENCE, _dog_scores, 0.5) == draft


def test_only_moments_of_the_video_that_is_cited_are_counted() -> None:
    other = _make_evidence("F3", 2061, 2066, OTHER_FILM)
    told = correct_occurrence_count(_draft("A dog appears five times.", "F1"), [DOG, CAT, other], _dog_scores, 0.5)
    assert (told.text, told.quotes) == ("A dog appears one time.", (Quote("F1"),))


def test_moments_that_all_but_touch_are_one() -> None:
    near = [
        _make_evidence("F1", 10, 15),
        _make_evidence("F2", 16, 18),
        _make_evidence("F3", 30, 31),
        _make_evidence("F4", 12, 40),
    ]
    assert [one.id for one in distinct_moments(near)] == ["F1"]
    assert [one.id for one in distinct_moments(near[:3])] == ["F1", "F3"]


def test_what_was_set_right_is_held_against_the_pictures_all_the_same() -> None:
    class FakeVerifier:
        def entailment_scores(self, sentence: str, evidence: Sequence[Evidence]) -> list[float]:
            return _dog_scores(sentence, evidence)

    grounding = RuleClaimVerifier(VerdictThresholds(0.6, 0.3), FakeVerifier())
    right = grounding.attribute(_draft("A dog appears at 00:50:00.", "F1"), EVIDENCE)
    wrong = grounding.attribute(_draft("A whale appears at 00:50:00.", "F2"), EVIDENCE)
    assert (right.text, grounding.verify(right, EVIDENCE).verdict) == (
        "A dog appears at 00:00:13.",
        Verdict.SUPPORTED,
    )
    assert grounding.verify(wrong, EVIDENCE).verdict is Verdict.UNSUPPORTED
