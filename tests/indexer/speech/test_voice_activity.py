from __future__ import annotations

import numpy as np

from indexer.speech.voice_activity import find_speech_probabilities, has_speech, trim_to_speech
from tests.support.spoken_recordings import load_radio_news, read_radio_news


def test_speech_is_told_from_the_silence_around_it() -> None:
    samples, news = read_radio_news().samples, load_radio_news().sentences
    probabilities = find_speech_probabilities(samples)
    assert has_speech(samples)
    for cue in news:
        middle_s = sum(cue.span) / 2
        assert probabilities[int(middle_s / 0.032) - 10 : int(middle_s / 0.032) + 10].max() > 0.8
    assert probabilities[: int(0.8 / 0.032)].max() < 0.35
    assert not has_speech(samples[: 16_000 * 8 // 10])


def test_silence_at_the_ends_of_a_span_is_cut_up_to_half_a_second() -> None:
    probabilities = np.zeros(1000, np.float32)
    probabilities[100:200] = 0.9  # 3.2 to 6.4 s
    assert np.allclose(trim_to_speech(3.0, 6.6, probabilities), (3.2, 6.4))
    assert np.allclose(trim_to_speech(2.0, 8.0, probabilities), (2.5, 7.5))
    assert trim_to_speech(4.0, 5.0, probabilities) == (4.0, 5.0)
    assert trim_to_speech(20.0, 21.0, probabilities) == (20.0, 21.0)
