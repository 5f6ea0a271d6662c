"""Answers about the drawn world are marked by what they say and by what they cite."""

from __future__ import annotations

import pytest

from benchmarks.marking import marked, overlap, told
from demoworld.world.questions import Kind, Question, Span
from demoworld.world.truth import Happened, VideoTruth
from indexer.types import AssetKind, Origin, Segment
from services.catalog import Asset
from services.summarizing import Chapter, Statement, Summary
from services.types import Answer, Citation, Evidence, RetrievedSegment, Sentence, Verdict, Verification

FILM = Asset("f" * 64, "v", AssetKind.VIDEO, "film.mp4", 600.0, None, 480, 270, 0.0, 1, 1, (), 0.0)


def _said(text: str, *spans: Span) -> Answer:
    cited = tuple(
        Citation(Evidence("F1", RetrievedSegment(FILM, Segment(0, Origin.PICTURE, *span), 0.9, {}, 0.1)), None, "")
        for span in spans
    )
    judgement = Verification(Verdict.SUPPORTED, 1.0)
    return Answer(text, not text, (Sentence(text, judgement, cited),) if text else ())


@pytest.mark.parametrize(
    ("kind", "question", "wanted", "said", "right"),
    [
        (Kind.WHAT, "What can be seen at 0:00:12?", "dog", "Two dogs can be seen.", True),
        (Kind.WHAT, "What can be seen at 0:00:12?", "dog", "A hot dogma.", False),
        (Kind.HOW_MANY, "How many dogs are there?", "two", "There are two dogs.", True),
        (Kind.HOW_MANY, "How many dogs are there?", "two", "There are three dogs.", False),
        (Kind.FIRST, "Which was seen first, the dog or the cat?", "cat", "The cat was seen before the dog.", True),
        (Kind.FIRST, "Which was seen first, the dog or the cat?", "cat", "The dog was seen before the cat.", False),
        (Kind.HOW_OFTEN, "How often does a dog appear?", "two", "One dog appears two times.", True),
        (Kind.HOW_OFTEN, "How often does a dog appear?", "two", "Two dogs appear one time.", False),
        (Kind.CHANGED, "…", "on the beach, then in the snow", "It was on the beach, then in the snow.", True),
        (Kind.CHANGED, "…", "on the beach, then in the snow", "It was in the snow, then on the beach.", False),
        (Kind.PLACE, "Where is the dog?", "in the snow", "It is in the snow.", True),
        (Kind.IS_THERE, "Is there a dog in the video?", "yes", "Yes, there is a dog.", True),
        (Kind.IS_THERE, "Is there a dog in the video?", "yes", "Yes, there is a cat.", False),
    ],
)
def test_an_answer_is_right_where_it_says_what_is_true(
    kind: Kind, question: str, wanted: str, said: str, right: bool
) -> None:
    asked = Question(kind, question, wanted, ((10.0, 15.0),))
    assert marked(asked, _said(said, (10.0, 15.0))).right is right
    assert not marked(asked, _said("")).right


def test_when_is_marked_by_the_spans_that_are_cited() -> None:
    asked = Question(Kind.WHEN, "When does a dog appear?", "0:00:10", ((10.0, 20.0),))
    assert marked(asked, _said("A dog appears.", (10.0, 16.0))).right
    assert not marked(asked, _said("A dog appears.", (10.0, 14.0))).right
    assert marked(asked, _said("A dog appears.", (10.0, 14.0), (50.0, 60.0))).cited == 0.5


def test_what_is_absent_is_right_where_nothing_is_said() -> None:
    asked = Question(Kind.ABSENT, "Where is a dog?", "not shown", ())
    assert marked(asked, _said("")).right and marked(asked, _said("")).cited is None
    assert not marked(asked, _said("A dog is on the beach.", (1.0, 2.0))).right


def test_overlap_is_that_of_all_spans_together() -> None:
    assert overlap([(0, 10)], [(0, 10)]) == 1.0
    assert overlap([(0, 2), (4, 6)], [(0, 6)]) == pytest.approx(4 / 6)
    assert overlap([], [(0, 6)]) == 0.0


def test_a_summary_is_held_against_the_truth() -> None:
    events = (
        Happened("dog", 1, "beach", False, "stays", 0.0, 12.0),
        Happened("cat", 1, "snow", False, "stays", 40.0, 52.0),
        Happened("bus", 1, "snow", False, "stays", 55.0, 58.0),
    )
    truth = VideoTruth("film.mp4", 0, 60.0, (), events)
    true = Statement("A dog is on the beach.", Verdict.SUPPORTED, 2.0, 3.0)
    false = Statement("A dog is in the snow.", Verdict.SUPPORTED, 42.0, 43.0)
    chapters = (Chapter("One", 0.0, 30.0, None, (true,)), Chapter("Two", 30.0, 60.0, None, (false,)))
    assert told(truth, Summary((), chapters)) == (0.5, 0.5)
