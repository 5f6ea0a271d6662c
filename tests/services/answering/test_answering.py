"""Ask: quotes that stand where the citation says, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from indexer.types import AssetKind, Box, Lane, LineSpan, Origin, Segment, SegmentFilter
from services.answering.answering import Answering
from services.answering.evidence import number_evidence
from services.answering.grounding import VerdictThresholds
from services.answering.rules.claim_verification import RuleClaimVerifier
from services.answering.types import Verdict
from services.catalog.types import Asset
from services.container import Container
from services.generators.extractive import ExtractiveGenerator
from services.generators.ports import Generator
from services.generators.timestamps import format_short_timestamp
from services.generators.types import DraftSentence, Evidence, Quote
from services.search.types import AnswerUnit, RetrievedSegment
from tests.support.containers import MakeContainer

NO_FILTERS = SegmentFilter()
PAPER = Asset("d" * 64, "v", AssetKind.DOCUMENT, "paper.pdf", None, 9, 600, 800, 0.0, 1, 1, (), 0.0)
TEXT = "Notice\nThe notice period is eight weeks. It is longer for captains."

GROUNDING = RuleClaimVerifier(VerdictThresholds(0.5, 0.3))


def _evidence(text: str = TEXT, asset: Asset = PAPER, **segment: object) -> list[Evidence]:
    origin = Origin.PAGE if text else Origin.PICTURE
    given = Segment(0, origin, text=text, **segment)  # type: ignore[arg-type]
    return number_evidence([RetrievedSegment(asset, given, 0.9, {Lane.TEXT: 0.9}, 0.1)])


@dataclass
class _ScriptedGenerator:
    """A generator that says what it is told to, to see what the service lets through."""

    drafts: tuple[DraftSentence, ...]
    model_id = "told"

    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
        yield from self.drafts


def _answering(container: Container, generator: Generator) -> Answering:
    return replace(container.answering, generator=generator, verifier=GROUNDING)


def test_evidence_is_numbered_by_kind() -> None:
    film = replace(PAPER, asset_id="f" * 64, kind=AssetKind.VIDEO)
    photo = replace(PAPER, asset_id="a" * 64, kind=AssetKind.IMAGE)
    found = [_evidence(asset=asset)[0].result for asset in (film, PAPER, film, photo)]
    assert [one.id for one in number_evidence(found)] == ["F1", "P1", "F2", "I1"]


def test_texts_that_nobody_judged_are_described_to_the_letter() -> None:
    drafts = list(ExtractiveGenerator(lambda: None, 3).answer("What is this about?", _evidence(page=7)))
    assert [draft.text for draft in drafts] == [
        "Notice The notice period is eight weeks.",
        "It is longer for captains.",
    ]
    for draft in drafts:
        (quote,) = draft.quotes
        assert quote.evidence_id == "P1"
        assert draft.text == " ".join(TEXT[quote.start : quote.end].split())


def test_where_only_a_picture_was_found_its_place_is_said() -> None:
    film = replace(PAPER, kind=AssetKind.VIDEO, name="film.mp4")
    evidence = _evidence("", film, start_s=62.0, end_s=65.5)
    (draft,) = ExtractiveGenerator(lambda: None, 3).answer("a red boat", evidence)
    assert "film.mp4 from 1:02 to 1:05" in draft.text
    assert GROUNDING.verify(draft, evidence).verdict is Verdict.UNCLEAR


@pytest.mark.parametrize(
    ("sentence", "verdict"),
    [
        ("The notice period is eight weeks.", Verdict.SUPPORTED),
        ("the NOTICE period is eight weeks", Verdict.SUPPORTED),
        ("The notice period is nine weeks.", Verdict.UNSUPPORTED),
        ("The notice period is eight weeks and a day for all of the crew.", Verdict.UNSUPPORTED),
    ],
)
def test_a_quote_carries_a_sentence_or_not(sentence: str, verdict: Verdict) -> None:
    draft = DraftSentence(sentence, (Quote("P1", 7, 41),), 1.0)
    assert GROUNDING.verify(draft, _evidence()).verdict is verdict


def test_invented_ids_and_unsupported_sentences_do_not_leave(make_container: MakeContainer, indexed_home: Path) -> None:
    container = make_container(indexed_home)
    told = _ScriptedGenerator(
        (DraftSentence("Made up.", (Quote("P99", 0, 5),), 1.0), DraftSentence("Made up.", (), 1.0))
    )
    assert _answering(container, told).answer_from("What is the notice period?", _evidence()).abstained
    lying = _ScriptedGenerator((DraftSentence("The notice period is a hundred years.", (Quote("P1", 0, 40),), 1.0),))
    assert _answering(container, lying).answer_from("What is the notice period?", _evidence()).abstained


def test_what_was_said_already_is_not_said_again(make_container: MakeContainer, indexed_home: Path) -> None:
    said = DraftSentence("The notice period is eight weeks.", (Quote("P1"),), 1.0)
    answering = _answering(make_container(indexed_home), _ScriptedGenerator((said, said)))
    assert [sentence.text for sentence in answering.stream_sentences("When?", _evidence())] == [said.text]


def test_the_box_of_a_quote_lies_inside_its_passage() -> None:
    lines = (LineSpan(0, 6, Box(0.1, 0.1, 0.3, 0.15)), LineSpan(7, len(TEXT), Box(0.1, 0.2, 0.9, 0.25)))
    (evidence,) = _evidence(lines=lines, box=Box(0.1, 0.1, 0.9, 0.25), page=7)
    from services.answering.answering import _make_citation

    box = _make_citation(evidence, Quote("P1", 7, 41)).box
    assert box is not None
    assert (box.x0, box.y0, box.y1) == (0.1, 0.2, 0.25)
    assert 0.4 < box.x1 < 0.7


def test_times_are_written_as_people_write_them() -> None:
    assert [format_short_timestamp(t) for t in (0, 9.99, 62, 3601, 36000)] == [
        "0:00",
        "0:09",
        "1:02",
        "1:00:01",
        "10:00:00",
    ]


def test_a_sentence_leaves_before_the_next_one_is_made(make_container: MakeContainer, home_copy: Path) -> None:
    container = make_container(home_copy)
    started_texts: list[str] = []

    class Slow(_ScriptedGenerator):
        def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
            for text in ("One.", "Two."):
                started_texts.append(text)
                yield DraftSentence(text, (Quote(evidence[0].id),), 0.9)

    answering = _answering(container, Slow(()))
    question = "What is the notice period once probation is over?"
    stream = answering.stream_sentences(question, answering.gather_evidence(question, NO_FILTERS))
    assert (next(stream).text, started_texts) == ("One.", ["One."])
    assert [sentence.text for sentence in stream] == ["Two."]


def _read_evidence(text: str, *probabilities: float) -> list[Evidence]:
    """A page whose lines were judged by a reader."""
    piece = _evidence(text, page=7)[0].result
    starts = [text.index(line) for line in text.splitlines()]
    units = [
        AnswerUnit(start, start + len(line), probability)
        for start, line, probability in zip(starts, text.splitlines(), probabilities, strict=True)
    ]
    return number_evidence([replace(piece, answer_units=tuple(units))])


@pytest.mark.parametrize(
    ("probabilities", "quoted"),
    [
        ((0.1, 0.8, 0.2), ["The notice period is eight weeks."]),
        ((0.1, 0.8, 0.7), ["The notice period is eight weeks.", "It is longer for captains."]),
        ((0.9, 0.1, 0.1), ["Notice"]),
    ],
)
def test_the_units_that_a_reader_found_likely_are_quoted(probabilities: Sequence[float], quoted: list[str]) -> None:
    text = "Notice\nThe notice period is eight weeks.\nIt is longer for captains."
    drafts = ExtractiveGenerator(lambda: None, 3).answer(
        "How long is the notice?", _read_evidence(text, *probabilities)
    )
    assert [draft.text for draft in drafts] == quoted


def test_a_bare_value_is_quoted_with_the_label_before_it() -> None:
    evidence = _read_evidence("Total to pay\n84.20 EUR\nThank you for your visit", 0.2, 0.9, 0.01)
    (draft,) = ExtractiveGenerator(lambda: None, 3).answer("How much was it?", evidence)
    assert draft.text == "Total to pay 84.20 EUR"
    assert draft.score == 0.9


def test_a_bare_label_is_quoted_with_the_value_behind_it() -> None:
    evidence = _read_evidence("Grocer\nReceipt no.\n8827 of 5 July\nThank you", 0.1, 0.9, 0.1, 0.01)
    (draft,) = ExtractiveGenerator(lambda: None, 3).answer("Which number has it?", evidence)
    assert draft.text == "Receipt no. 8827 of 5 July"


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("To install it, run:\n# make install\nThen go on.", "To install it, run: # make install"),
        ("Verify the files first.\n$ nagios -v all.cfg\nThen go on.", "Verify the files first. $ nagios -v all.cfg"),
        ("It has two parts:\n- a daemon\n- a plugin\nBoth are free.", "It has two parts: - a daemon - a plugin"),
        ("It has two parts.\n- a daemon\n- a plugin\nBoth are free.", "It has two parts."),
    ],
)
def test_what_leads_in_is_quoted_with_the_list_or_the_command_that_follows(text: str, quoted: str) -> None:
    evidence = _read_evidence(text, 0.9, *[0.01] * text.count("\n"))
    (draft,) = ExtractiveGenerator(lambda: None, 3).answer("How?", evidence)
    assert draft.text == quoted
