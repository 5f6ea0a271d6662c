"""Reading of found passages: the likeliest answer first, and none where none is likely enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from indexer.types import AssetKind, Lane, Origin, Segment
from services.answering.evidence import add_texts
from services.catalog.types import Asset
from services.reading.answer_finder import AnswerFinder, AnswerFinderSettings
from services.reading.confidence import ConfidenceWeights, find_missing_numbers
from services.reading.units import ReadUnit
from services.search.types import RetrievedSegment

PAPER = Asset("d" * 64, "v", AssetKind.DOCUMENT, "paper.pdf", None, 9, 600, 800, 0.0, 1, 1, (), 0.0)


class _CountingReader:
    """A reader by a rule that a test can follow: a unit scores the digits it has; each line is a unit."""

    model_id = "counting"

    def read(self, question: str, passages: Sequence[Segment]) -> list[list[ReadUnit]]:
        return [list(self._read(passage.text)) for passage in passages]

    def _read(self, text: str) -> list[ReadUnit]:
        units, start = [], 0
        for line in filter(None, text.split("\n")):
            start = text.index(line, start)
            units.append(ReadUnit(start, start + len(line), float(sum(map(str.isdigit, line))) - 3))
        return units


def _found(text: str, fused_score: float, origin: Origin = Origin.PAGE) -> RetrievedSegment:
    return RetrievedSegment(PAPER, Segment(0, origin, page=1, text=text), 0.2, {Lane.TEXT: 0.2}, fused_score)


def _finder(min_probability: float = 0.5, **numbers: float) -> AnswerFinder:
    plain = ConfidenceWeights(1.0, typical=-3.0, best=1.0, lead=0.0, search=0.0, missing_numbers=0.0, bias=0.0)
    return AnswerFinder(_CountingReader, AnswerFinderSettings(min_probability, replace(plain, **numbers), 1.0))  # type: ignore[arg-type]


def test_passages_come_in_the_order_of_their_best_units() -> None:
    answers = _finder().find_answers("?", [_found("a 1\nb 12", 0.0), _found("c 12345", 0.0), _found("", 9.0)])
    assert [answer.segment.text for answer in answers] == ["c 12345", "a 1\nb 12"]
    assert [(unit.start, unit.end) for unit in answers[1].answer_units] == [(0, 3), (4, 8)]
    assert answers[0].answer_units[0].probability == pytest.approx(0.8808, abs=1e-4)


def test_what_search_finds_likelier_can_outweigh_the_reader() -> None:
    passages = [_found("a 123", 2.0), _found("b 1234", 0.0)]
    assert _finder().find_answers("?", passages)[0].segment.text == "a 123"
    assert _finder(search_share=0.0).find_answers("?", passages)[0].segment.text == "b 1234"


def test_nothing_is_answered_below_the_least_probability() -> None:
    assert _finder().find_answers("?", [_found("a 12", 0.5), _found("b", 2.0)]) == []
    assert _finder(bias=0.6).find_answers("?", [_found("a 12", 0.5)])
    assert _finder().find_answers("?", []) == []


def test_an_answer_that_stands_out_is_likelier_than_one_of_many() -> None:
    finder = _finder(0.0, best=0.0, lead=1.0)
    others = [_found(f"{letter} 1", 0.0) for letter in "bcdef"]
    (alone, *_) = finder.find_answers("?", [_found("a 12345\nz", 0.0), *others])
    crowd = finder.find_answers("?", [_found(f"{letter} 12345", 0.0) for letter in "abcdef"])
    assert alone.answer_units[0].probability > 0.95
    assert alone.answer_units[1].probability < 0.5
    assert {unit.probability for passage in crowd for unit in passage.answer_units} == {0.5}
    # Rows of one passage are no rivals, and units that there are not count as unlikely ones.
    (rows,) = finder.find_answers("?", [_found("a 12345\nb 12345\nc 12345\nd 12345", 0.0)])
    assert {unit.probability > 0.95 for unit in rows.answer_units} == {True}


def test_a_passage_without_the_numbers_of_the_question_is_less_likely() -> None:
    finder, question = _finder(0.0, missing_numbers=-2.0), "What did 3 ropes cost in 2019?"
    full, half = (finder.find_answers(question, [_found(text, 0.0)]) for text in ("3 in 2019: 44", "3 in 2020: 44"))
    assert full[0].answer_units[0].probability > half[0].answer_units[0].probability
    segment = replace(_found("the rope", 0.0).segment, context="Prices of 2019")
    assert find_missing_numbers(question, segment, "list 3.pdf") == 0.0
    assert find_missing_numbers(question, segment, "list.pdf") == 0.5
    assert find_missing_numbers("What is a rope?", segment, "list.pdf") == 0.0


def test_texts_that_answer_stand_before_the_pictures_that_search_ranks_below_them() -> None:
    pictures = [_found("", 3.0, Origin.PICTURE), _found("", 1.0, Origin.PICTURE)]
    texts = [_found("answer", 2.0), _found("other", -1.0)]
    assert add_texts(pictures, texts) == [pictures[0], *texts, pictures[1]]
    assert add_texts(pictures, []) == pictures
