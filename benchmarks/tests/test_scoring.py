"""Scoring of answers and summaries about the drawn world, by their text and by their citations."""

from __future__ import annotations

import pytest

from benchmarks.scoring import interval_iou, score_answer, score_summary
from demoworld.world.questions import Question, QuestionKind, Span
from demoworld.world.truth import EventTruth, VideoTruth
from indexer.types import AssetKind, Origin, Segment
from services.answering.types import Answer, Citation, Sentence, Verdict, Verification
from services.catalog.types import Asset
from services.generators.types import Evidence
from services.search.types import RetrievedSegment
from services.summaries.types import Chapter, Statement, Summary

FILM = Asset("f" * 64, "v", AssetKind.VIDEO, "film.mp4", 600.0, None, 480, 270, 0.0, 1, 1, (), 0.0)


def _make_answer(text: str, *spans: Span) -> Answer:
    citations = tuple(
        Citation(Evidence("F1", RetrievedSegment(FILM, Segment(0, Origin.PICTURE, *span), 0.9, {}, 0.1)), None, "")
        for span in spans
    )
    verification = Verification(Verdict.SUPPORTED, 1.0)
    return Answer(text, not text, (Sentence(text, verification, citations),) if text else ())


@pytest.mark.parametrize(
    ("kind", "question", "expected", "text", "right"),
    [
        (QuestionKind.VISIBLE_AT, "What can be seen at 0:00:12?", "dog", "Two dogs can be seen.", True),
        (QuestionKind.VISIBLE_AT, "What can be seen at 0:00:12?", "dog", "A hot dogma.", False),
        (QuestionKind.HOW_MANY, "How many dogs are there?", "two", "There are two dogs.", True),
        (QuestionKind.HOW_MANY, "How many dogs are there?", "two", "There are three dogs.", False),
        (
            QuestionKind.FIRST,
            "Which was seen first, the dog or the cat?",
            "cat",
            "The cat was seen before the dog.",
            True,
        ),
        (
            QuestionKind.FIRST,
            "Which was seen first, the dog or the cat?",
            "cat",
            "The dog was seen before the cat.",
            False,
        ),
        (QuestionKind.HOW_OFTEN, "How often does a dog appear?", "two", "One dog appears two times.", True),
        (QuestionKind.HOW_OFTEN, "How often does a dog appear?", "two", "Two dogs appear one time.", False),
        (QuestionKind.CHANGED, "…", "on the beach, then in the snow", "It was on the beach, then in the snow.", True),
        (QuestionKind.CHANGED, "…", "on the beach, then in the snow", "It was in the snow, then on the beach.", False),
        (QuestionKind.PLACE, "Where is the dog?", "in the snow", "It is in the snow.", True),
        (QuestionKind.IS_THERE, "Is there a dog in the video?", "yes", "Yes, there is a dog.", True),
        (QuestionKind.IS_THERE, "Is there a dog in the video?", "yes", "Yes, there is a cat.", False),
    ],
)
def test_an_answer_is_right_where_it_says_what_is_true(
    kind: QuestionKind, question: str, expected: str, text: str, right: bool
) -> None:
    question_truth = Question(kind, question, expected, ((10.0, 15.0),))
    assert score_answer(question_truth, _make_answer(text, (10.0, 15.0))).right is right
    assert not score_answer(question_truth, _make_answer("")).right


def test_when_is_marked_by_the_spans_that_are_cited() -> None:
    question = Question(QuestionKind.WHEN, "When does a dog appear?", "0:00:10", ((10.0, 20.0),))
    assert score_answer(question, _make_answer("A dog appears.", (10.0, 16.0))).right
    assert not score_answer(question, _make_answer("A dog appears.", (10.0, 14.0))).right
    assert score_answer(question, _make_answer("A dog appears.", (10.0, 14.0), (50.0, 60.0))).citation_precision == 0.5


def test_what_is_absent_is_right_where_nothing_is_said() -> None:
    question = Question(QuestionKind.ABSENT, "Where is a dog?", "not shown", ())
    assert (
        score_answer(question, _make_answer("")).right
        and score_answer(question, _make_answer("")).citation_precision is None
    )
    assert not score_answer(question, _make_answer("A dog is on the beach.", (1.0, 2.0))).right


def test_overlap_is_that_of_all_spans_together() -> None:
    assert interval_iou([(0, 10)], [(0, 10)]) == 1.0
    assert interval_iou([(0, 2), (4, 6)], [(0, 6)]) == pytest.approx(4 / 6)
    assert interval_iou([], [(0, 6)]) == 0.0


def test_a_summary_is_held_against_the_truth() -> None:
    events = (
        EventTruth("dog", 1, "beach", False, "stays", 0.0, 12.0),
        EventTruth("cat", 1, "snow", False, "stays", 40.0, 52.0),
        EventTruth("bus", 1, "snow", False, "stays", 55.0, 58.0),
    )
    truth = VideoTruth("film.mp4", 0, 60.0, (), events)
    true = Statement("A dog is on the beach.", Verdict.SUPPORTED, 2.0, 3.0)
    false = Statement("A dog is in the snow.", Verdict.SUPPORTED, 42.0, 43.0)
    chapters = (Chapter("One", 0.0, 30.0, None, (true,)), Chapter("Two", 30.0, 60.0, None, (false,)))
    assert score_summary(truth, Summary((), chapters)) == (0.5, 0.5)
