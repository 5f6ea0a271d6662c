"""The benchmark's two lists of questions: independent of calibration, and within their targets."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.answers import judge, load_answerable, load_unrelated
from indexer.types import SegmentFilter
from services.search.null_queries import load_null_queries
from tests.support.containers import MakeContainer

NO_FILTERS = SegmentFilter()


def test_no_question_is_a_null_query_of_calibration() -> None:
    questions = {question.question for question in load_answerable()} | set(load_unrelated())
    assert not questions & set(load_null_queries())


ALLOWANCE = 2
"""Questions that may go the other way: int8 kernels differ by processor (26 right on one, 27 on another)."""


@pytest.mark.slow
def test_both_lists_of_questions_reach_their_targets_but_for_the_processor(
    make_container: MakeContainer, indexed_home: Path
) -> None:
    answering = make_container(indexed_home).answering
    judged = [judge(question, answering.ask(question.question, NO_FILTERS)) for question in load_answerable()]
    answered = [question for question in load_unrelated() if not answering.ask(question, NO_FILTERS).abstained]
    assert sum(answer.cites_truth for answer in judged) >= 27 - ALLOWANCE
    assert len(answered) <= 1 + ALLOWANCE
