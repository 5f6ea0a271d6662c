"""No sentence leaves that what it cites does not carry: pictures, times, order, counts and text, each on its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from indexer.types import AssetKind, Origin, PictureRef, Segment
from services.answering.grounding import VerdictThresholds
from services.answering.rules.claim_verification import RuleClaimVerifier
from services.answering.types import Verdict
from services.catalog.types import Asset
from services.generators.types import DraftSentence, Evidence, Quote
from services.search.types import RetrievedSegment

FILM = Asset("f" * 64, "v", AssetKind.VIDEO, "film 09:99 at 12:30.mp4", 600.0, None, 480, 270, 0.0, 1, 1, (), 0.0)
THRESHOLDS = VerdictThresholds(0.6, 0.3)


@dataclass
class _FakeVerifier:
    """A checker that says yes of the pictures that hold a word of the sentence, and remembers what it was asked."""

    words_by_id: Mapping[str, str]
    calls: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def entailment_scores(self, sentence: str, evidence: Sequence[Evidence]) -> list[float]:
        self.calls.append((sentence, tuple(one.id for one in evidence)))
        return [float(any(word in sentence for word in self.words_by_id[one.id].split())) for one in evidence]


def _make_evidence(name: str, start_s: float, end_s: float, text: str = "") -> Evidence:
    segment = Segment(0, Origin.PICTURE, start_s, end_s, text=text, picture=PictureRef(name, 0, 1))
    return Evidence(name, RetrievedSegment(FILM, segment, 0.9, {}, 0.1))


EVIDENCE = [
    _make_evidence("F1", 10, 15),
    _make_evidence("F2", 30, 36),
    _make_evidence("F3", 50, 52),
    _make_evidence("F4", 70, 75, "EXIT 42"),
]
WORDS_BY_ID = {"F1": "dog", "F2": "cat", "F3": "dog", "F4": "street"}


def _draft(text: str, *ids: str) -> DraftSentence:
    return DraftSentence(text, tuple(Quote(one) for one in ids), 0.5)


@pytest.mark.parametrize(
    ("text", "ids", "verdict"),
    [
        ("A dog can be seen.", ("F1",), Verdict.SUPPORTED),
        ("A dog can be seen.", ("F2",), Verdict.UNSUPPORTED),
        ("A dog can be seen.", ("F2", "F1"), Verdict.SUPPORTED),
        ("A dog appears at 00:00:12.", ("F1",), Verdict.SUPPORTED),
        ("A dog appears at 00:00:20.", ("F1",), Verdict.UNSUPPORTED),
        ("A dog appears at 01:00:12.", ("F1",), Verdict.UNSUPPORTED),
        ("The dog was seen first, at 00:00:10, before the cat, at 00:00:30.", ("F1", "F2"), Verdict.SUPPORTED),
        ("The cat was seen first, before the dog.", ("F1", "F2"), Verdict.UNSUPPORTED),
        ("The cat came after the dog.", ("F2", "F1"), Verdict.SUPPORTED),
        ("A dog was shown, then a cat.", ("F1", "F2"), Verdict.SUPPORTED),
        ("A dog appears two times.", ("F1", "F3"), Verdict.SUPPORTED),
        ("A dog appears twice.", ("F1", "F3"), Verdict.SUPPORTED),
        ("A dog appears three times.", ("F1", "F3"), Verdict.UNSUPPORTED),
        ("A dog appears two times.", ("F1", "F2"), Verdict.UNSUPPORTED),
        ("A dog appears once.", ("F1",), Verdict.SUPPORTED),
        ("The sign says EXIT 42.", ("F4",), Verdict.SUPPORTED),
        ("The sign says EXIT 43.", ("F4",), Verdict.UNSUPPORTED),
    ],
)
def test_a_sentence_is_held_against_what_it_cites(text: str, ids: tuple[str, ...], verdict: Verdict) -> None:
    assert (
        RuleClaimVerifier(THRESHOLDS, _FakeVerifier(WORDS_BY_ID)).verify(_draft(text, *ids), EVIDENCE).verdict
        is verdict
    )


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("It is eight weeks.", Verdict.SUPPORTED),
        ("The notice period is not eight weeks.", Verdict.UNCLEAR),
        ("Die Kündigungsfrist beträgt acht Wochen.", Verdict.UNCLEAR),
        ("The notice period is 9 weeks.", Verdict.UNSUPPORTED),
        ("Die Kündigungsfrist steht auf page 7.", Verdict.UNCLEAR),
        ("The notice period is eight weeks, as page 8 says.", Verdict.UNSUPPORTED),
        ("The notice period is eight weeks, see page 99.", Verdict.UNSUPPORTED),
        ("The notice period is eight weeks, with more on page 31.", Verdict.UNCLEAR),
    ],
)
def test_what_is_put_in_other_words_is_held_against_the_text(text: str, verdict: Verdict) -> None:
    page = Segment(0, Origin.PAGE, page=7, text="The notice period is eight weeks, 12 for captains (page 31).")
    evidence = [Evidence("P1", RetrievedSegment(replace(FILM, kind=AssetKind.DOCUMENT), page, 0.9, {}, 0.1))]
    for checker in (None, _FakeVerifier({})):
        assert RuleClaimVerifier(THRESHOLDS, checker).verify(_draft(text, "P1"), evidence).verdict is verdict


def test_times_and_order_are_not_asked_of_the_model() -> None:
    eyes = _FakeVerifier(WORDS_BY_ID)
    RuleClaimVerifier(THRESHOLDS, eyes).verify(_draft("A dog appears at 00:00:12.", "F1"), EVIDENCE)
    assert eyes.calls == [("A dog appears.", ("F1",))]


@pytest.mark.parametrize("text", ["A dog can be seen.", "A dog appears two times.", "The dog was seen before the cat."])
def test_what_the_model_does_not_say_stays_unclear(text: str) -> None:
    class SilentVerifier:
        def entailment_scores(self, sentence: str, evidence: Sequence[Evidence]) -> list[float | None]:
            return [None for _ in evidence]

    verifier = RuleClaimVerifier(THRESHOLDS, SilentVerifier())
    assert verifier.verify(_draft(text, "F1", "F3"), EVIDENCE).verdict is Verdict.UNCLEAR


@pytest.mark.parametrize(("supported", "refuted"), [(0.6, 0.3), (0.5, 0.5), (1.0, 1.0), (1.0, 0.0), (0.2, 0.2)])
def test_no_threshold_takes_silence_for_a_yes(supported: float, refuted: float) -> None:
    thresholds = VerdictThresholds(supported, refuted)
    expected = Verdict.UNCLEAR if supported > refuted else Verdict.UNSUPPORTED
    assert thresholds.classify(thresholds.unknown).verdict is expected


def test_the_same_sentence_is_asked_of_a_picture_once() -> None:
    eyes = _FakeVerifier(WORDS_BY_ID)
    grounding = RuleClaimVerifier(THRESHOLDS, eyes)
    for _ in range(3):
        grounding.verify(_draft("A dog can be seen.", "F1", "F2"), EVIDENCE)
    assert len(eyes.calls) == 1


def test_a_sentence_without_a_valid_id_gets_the_picture_that_shows_it_or_none() -> None:
    grounding = RuleClaimVerifier(THRESHOLDS, _FakeVerifier(WORDS_BY_ID))
    assert grounding.attribute(_draft("A cat can be seen.", "F99"), EVIDENCE).quotes == (Quote("F2"),)
    nowhere = grounding.attribute(_draft("A whale can be seen."), EVIDENCE)
    assert nowhere.quotes == ()
    assert grounding.verify(nowhere, EVIDENCE).verdict is Verdict.UNSUPPORTED


@pytest.mark.parametrize(
    ("text", "ids", "proof"),
    [
        ("A cat can be seen.", ("F1",), ("F2",)),
        ("A dog can be seen.", ("F3",), ("F3",)),
        ("A whale can be seen.", ("F1",), ("F1",)),
        ("It was a dog, then a cat.", ("F3", "F1"), ("F1", "F2")),
        ("It was a cat, then a dog.", ("F1", "F2"), ("F2", "F3")),
        ("The sign says CAT.", ("F4",), ("F4",)),
    ],
)
def test_a_citation_that_does_not_show_it_gives_way_to_one_that_does(
    text: str, ids: tuple[str, ...], proof: tuple[str, ...]
) -> None:
    draft = RuleClaimVerifier(THRESHOLDS, _FakeVerifier(WORDS_BY_ID)).attribute(_draft(text, *ids), EVIDENCE)
    assert draft.quotes == tuple(Quote(one) for one in proof)


def test_what_pictures_show_is_unclear_where_nobody_looks() -> None:
    grounding = RuleClaimVerifier(THRESHOLDS)
    assert grounding.verify(_draft("A dog can be seen.", "F1"), EVIDENCE).verdict is Verdict.UNCLEAR
    assert grounding.attribute(_draft("A dog can be seen.", "F1", "F99"), EVIDENCE).quotes == (Quote("F1"),)
    assert grounding.verify(_draft("A dog at 00:01:40.", "F1"), EVIDENCE).verdict is Verdict.UNSUPPORTED


def test_times_in_the_name_of_a_file_are_no_statement() -> None:
    draft = _draft(f"A dog can be seen in {FILM.name}.", "F1")
    assert (
        RuleClaimVerifier(THRESHOLDS, _FakeVerifier(WORDS_BY_ID)).verify(draft, EVIDENCE).verdict is Verdict.SUPPORTED
    )


def test_thresholds_that_are_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="does not hold"):
        VerdictThresholds(0.3, 0.6)
