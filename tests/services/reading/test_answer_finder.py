"""Reading of found passages: the likeliest answer first, and none where none is likely enough."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from indexer.types import AssetKind, Lane, Origin, Segment
from services.answering.evidence import add_texts
from services.catalog.types import Asset
from services.reading.answer_finder import AnswerFinder, AnswerFinderSettings
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


def _finder(**numbers: float) -> AnswerFinder:
    settings = AnswerFinderSettings(0.5, **{"reader_weight": 1.0, "search_weight": 1.0, "bias": 0.0} | numbers)  # type: ignore[arg-type]
    return AnswerFinder(_CountingReader, settings)


def test_passages_come_in_the_order_of_their_best_units() -> None:
    answers = _finder().find_answers("?", [_found("a 1\nb 12", 0.0), _found("c 12345", 0.0), _found("", 9.0)])
    assert [answer.segment.text for answer in answers] == ["c 12345", "a 1\nb 12"]
    assert [(unit.start, unit.end) for unit in answers[1].answer_units] == [(0, 3), (4, 8)]
    assert answers[0].answer_units[0].probability == pytest.approx(0.8808, abs=1e-4)


def test_what_search_finds_likelier_can_outweigh_the_reader() -> None:
    passages = [_found("a 123", 2.0), _found("b 1234", 0.0)]
    assert _finder().find_answers("?", passages)[0].segment.text == "a 123"
    assert _finder(search_weight=0.0).find_answers("?", passages)[0].segment.text == "b 1234"


def test_nothing_is_answered_below_the_least_probability() -> None:
    assert _finder().find_answers("?", [_found("a 12", 0.5), _found("b", 2.0)]) == []
    assert _finder(bias=0.6).find_answers("?", [_found("a 12", 0.5)])
    assert _finder().find_answers("?", []) == []


def test_texts_that_answer_stand_before_the_pictures_that_search_ranks_below_them() -> None:
    pictures = [_found("", 3.0, Origin.PICTURE), _found("", 1.0, Origin.PICTURE)]
    texts = [_found("answer", 2.0), _found("other", -1.0)]
    assert add_texts(pictures, texts) == [pictures[0], *texts, pictures[1]]
    assert add_texts(pictures, []) == pictures
