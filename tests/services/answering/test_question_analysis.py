"""What a question names: things that it joins, and times."""

from __future__ import annotations

import pytest

from services.answering.rules.question_analysis import analyze_question
from services.answering.rules.timestamps import parse_timestamps, strip_timestamps
from services.answering.types import TemporalScope


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("Which was seen first, the fire truck or the dog?", ("fire truck", "dog")),
        ("What happened between the red car and the bus on the beach?", ("red car", "bus on the beach")),
        ("Is there a dog in the video?", ("dog",)),
        ("When does it rain?", ("rain",)),
        ("When do two fire trucks appear?", ("fire trucks",)),
        ("red car", ()),
        ("What can be seen at 0:12?", ()),
        ("How did the place change between 0:10 and 0:40?", ()),
        ("Kam der Hund oder die Katze zuerst?", ("Kam der Hund", "die Katze zuerst")),
        ("", ()),
    ],
)
def test_things_are_looked_for_one_by_one_and_bare_of_what_else_is_said(question: str, parts: tuple[str, ...]) -> None:
    assert analyze_question(question).sub_queries == parts


@pytest.mark.parametrize(
    ("text", "times_s"),
    [
        ("What can be seen at 0:12?", [12.0]),
        ("from 1:02:03 to 12:05", [3723.0, 725.0]),
        ("the score was 3:2 and the ratio 16:9", []),
        ("at 00:13:02, or 2024-01-02T10:11:12", [782.0, 36672.0]),
        ("10.5:30 and 1:2:3:4", []),
    ],
)
def test_times_are_read_as_seconds_from_the_beginning(text: str, times_s: list[float]) -> None:
    assert parse_timestamps(text) == times_s


def test_a_question_gives_its_times_in_order_and_each_once() -> None:
    assert analyze_question("What changed between 0:40 and 0:10, at 0:40?").timestamps_s == (10.0, 40.0)


def test_a_sentence_is_left_whole_without_its_times() -> None:
    assert strip_timestamps("A dog appears at 00:12:05.") == "A dog appears."
    said = "The dog was seen first, at 00:12:05, before the cat, at 00:20:10."
    assert strip_timestamps(said) == "The dog was seen first, before the cat."


@pytest.mark.parametrize(
    ("question", "reach"),
    [
        ("When does the fire truck leave?", TemporalScope.WITHIN),
        ("Which was seen first, the dog or the cat?", TemporalScope.WITHIN),
        ("What came before the dog?", TemporalScope.BEFORE),
        ("What happened after the goal?", TemporalScope.AFTER),
        ("Was kam nach dem Tor?", TemporalScope.AFTER),
        ("What was seen between the dog and the cat?", TemporalScope.BETWEEN),
        ("What is between the pages?", TemporalScope.ALL),
        ("What is the video about?", TemporalScope.ALL),
        ("What changed between 0:40 and 0:10?", TemporalScope.WITHIN),
    ],
)
def test_a_question_says_how_far_it_reaches(question: str, reach: TemporalScope) -> None:
    assert analyze_question(question).temporal_scope is reach
