from __future__ import annotations

from indexer.speech.sentences import SpokenWord, build_sentences


def _say(*words: tuple[str, float, float]) -> list[SpokenWord]:
    return [SpokenWord(text, start_s, end_s, 0.8) for text, start_s, end_s in words]


def test_a_sentence_lasts_from_its_first_word_to_its_last() -> None:
    first, second = build_sentences(
        _say((" It", 1.0, 1.2), (" rains.", 1.2, 1.8), (" Take", 2.0, 2.3), (" a", 2.3, 2.4), (" coat!", 2.4, 3.0))
    )
    assert (first.text, first.start_s, first.end_s) == ("It rains.", 1.0, 1.8)
    assert (second.text, second.start_s, second.end_s) == ("Take a coat!", 2.0, 3.0)
    assert abs(first.confidence - 0.8) < 1e-9


def test_a_long_pause_ends_a_sentence_without_a_mark() -> None:
    lines = build_sentences(_say((" Well", 0.0, 0.4), (" yes", 3.0, 3.4)))
    assert [line.text for line in lines] == ["Well", "yes"]


def test_scripts_without_spaces_are_joined_without_spaces() -> None:
    lines = build_sentences(_say(("今日", 0.0, 0.5), ("は", 0.5, 0.7), ("雨。", 0.7, 1.2), ("傘を", 1.5, 2.0)))
    assert [(line.text, line.start_s, line.end_s) for line in lines] == [("今日は雨。", 0.0, 1.2), ("傘を", 1.5, 2.0)]


def test_an_abbreviation_ends_no_sentence() -> None:
    (line,) = build_sentences(_say((" Mr.", 0.0, 0.4), (" Smith", 0.4, 0.8), (" left.", 0.8, 1.2)))
    assert line.text == "Mr. Smith left."


def test_what_looks_like_an_abbreviation_ends_a_sentence_before_a_pause() -> None:
    lines = build_sentences(_say((" Radio", 0.0, 0.4), (" O.", 0.4, 0.8), (" It", 1.6, 1.8), (" rains.", 1.8, 2.2)))
    assert [line.text for line in lines] == ["Radio O.", "It rains."]


def test_nothing_said_is_no_sentence() -> None:
    assert build_sentences([]) == []
