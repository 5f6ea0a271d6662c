"""Cues of subtitles and speech become passages of sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.text.cue_passages import build_cue_passages
from indexer.types import Origin, TextLine


def make_cue(start_s: float, end_s: float, text: str, block: int = 0, origin: Origin = Origin.SUBTITLE) -> TextLine:
    return TextLine(text, origin, start_s, end_s, block=block)


def make_sentence(count: int, word: str = "word") -> str:
    return " ".join(["The", *[word] * (count - 1)]) + "."


def test_cues_become_passages_of_sentences() -> None:
    cues = [
        make_cue(float(i), i + 0.9, text)
        for i, text in enumerate([make_sentence(10), "and then", make_sentence(15), "Next one."])
    ]
    passages = build_cue_passages(cues)
    assert [(p.text, p.start_s, p.end_s) for p in passages] == [
        (f"{cues[0].text} and then {cues[2].text}", 0.0, 2.9),
        ("Next one.", 3.0, 3.9),
    ]
    assert all(p.origin is Origin.SUBTITLE and p.box is None and p.lines == () for p in passages)


def test_a_pause_ends_a_passage() -> None:
    passages = build_cue_passages([make_cue(0, 1, "one"), make_cue(2.5, 3, "two"), make_cue(4.6, 5, "three")])
    assert [(p.text, p.start_s, p.end_s) for p in passages] == [("one two", 0, 3), ("three", 4.6, 5)]


def test_a_passage_of_cues_stays_within_its_limits() -> None:
    many = [make_cue(i * 2.0, i * 2.0 + 2, f"some words without an end {i}") for i in range(60)]
    passages = build_cue_passages(many)
    assert all((p.end_s or 0) - (p.start_s or 0) <= 30 and len(p.text.split()) <= 60 for p in passages)
    assert " ".join(p.text for p in passages) == " ".join(line.text for line in many)


def test_a_cue_that_is_too_long_shares_out_its_time() -> None:
    text = " ".join([make_sentence(50), make_sentence(50)])
    first, second = build_cue_passages([make_cue(10, 30, text, origin=Origin.SPEECH)])
    assert (first.text, second.text) == (make_sentence(50), make_sentence(50))
    assert (first.start_s, second.end_s) == (10, 30)
    assert first.end_s == pytest.approx(20, abs=0.1)
    assert second.start_s == pytest.approx(20, abs=0.1)


def test_a_dash_at_the_end_of_a_cue_stays() -> None:
    assert build_cue_passages([make_cue(0, 1, "I was-"), make_cue(1, 2, "what?")])[0].text == "I was- what?"


def test_tracks_are_not_mixed() -> None:
    english = [make_cue(0, 1, "one"), make_cue(1, 2, "two")]
    german = [make_cue(0, 1, "eins", 1), make_cue(1, 2, "zwei", 1)]
    assert [p.text for p in build_cue_passages(english + german)] == ["one two", "eins zwei"]


def test_a_sidecar_that_repeats_a_stream_adds_nothing() -> None:
    stream = [make_cue(0, 1, "one"), make_cue(1, 2, "two"), make_cue(50, 51, "three")]
    sidecar = [
        make_cue(0.2, 1.2, "one"),
        make_cue(1.2, 2.2, "two"),
        make_cue(50.2, 51.2, "three"),
        make_cue(99, 100, "one two"),
    ]
    passages = build_cue_passages(stream + sidecar)
    assert [(p.text, p.start_s) for p in passages] == [("one two", 0), ("three", 50), ("one two", 99)]


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(0.1, 40), st.text(st.sampled_from("ab. 東"), min_size=1, max_size=80)),
        max_size=12,
    ),
    st.integers(1, 20),
)
def test_passages_of_cues_lie_within_their_cues(raw: list[tuple[float, float, str]], max_words: int) -> None:
    cues = [make_cue(start, start + length, text) for start, length, text in sorted(raw)]
    passages = build_cue_passages(cues, max_words=max_words)
    spoken = [line for line in cues if line.text.strip()]
    assert bool(passages) == bool(spoken)
    for passage in passages:
        assert passage.start_s is not None and passage.end_s is not None
        assert passage.start_s < passage.end_s
        assert passage.start_s >= min(line.start_s or 0 for line in spoken)
        assert passage.end_s <= max(line.end_s or 0 for line in spoken) + 1e-9
    assert [p.start_s for p in passages] == sorted(p.start_s or 0 for p in passages)
