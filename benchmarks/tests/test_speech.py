"""The measures of `benchmarks.speech`, and that its recordings are what they say."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from benchmarks.speech import FoundSentence, count_word_errors, split_words
from benchmarks.speech_recordings import RATE_HZ, load_texts, make_noise, make_spoken, make_wordless_minutes


@pytest.mark.parametrize(
    ("heard", "errors"),
    [
        ("Ever tried, ever failed.", 0),
        ("ever tried ever sailed", 1),
        ("tried ever failed", 1),
        ("Ever tried to ever failed", 1),
        ("", 4),
    ],
)
def test_words_replaced_left_out_and_added_are_errors(heard: str, errors: int) -> None:
    assert count_word_errors(split_words("Ever tried, ever failed."), split_words(heard)) == errors


@pytest.mark.parametrize(
    ("hit", "start_s", "is_right"),
    [("de.wav", 5.9, True), ("de.wav", 6.2, False), ("fr.wav", 5.0, False), ("nothing", None, False)],
)
def test_a_hit_is_right_at_its_second_of_its_recording(hit: str, start_s: float | None, is_right: bool) -> None:
    assert FoundSentence("de", "Guten Tag.", 5.0, hit, start_s).is_right is is_right


def test_ten_minutes_are_without_a_word_and_as_loud_as_they_may_be() -> None:
    minutes = dict(make_wordless_minutes())
    assert len(minutes) == 10
    assert all(len(samples) == 60 * RATE_HZ and np.abs(samples).max() <= 1 for samples in minutes.values())
    assert len(make_noise(1.00001, np.random.default_rng(0))) == RATE_HZ


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng speaks")
def test_each_sentence_is_said_in_its_span() -> None:
    recording = make_spoken(load_texts().languages[0])
    assert len(recording.spans) == len(recording.texts) == 6
    loudness = np.square(recording.samples)
    for start_s, end_s in recording.spans:
        first, end = round(start_s * RATE_HZ), round(end_s * RATE_HZ)
        assert loudness[first:end].mean() > 20 * loudness[first - RATE_HZ // 2 : first].mean()
