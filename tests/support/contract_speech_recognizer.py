"""Contract of speech recognizers: a test class inherits it and gives it a recognizer as a fixture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from indexer.ports import SpeechRecognizer
from indexer.types import AudioSpan, Origin


class SpeechRecognizerContract:
    """Tests of every speech recognizer. A subclass has the fixture `recognizer`; `spoken_audio` is English speech."""

    @pytest.fixture
    def recognizer(self) -> SpeechRecognizer:
        raise NotImplementedError

    def test_sentences_lie_inside_the_span_and_are_in_order(
        self, recognizer: SpeechRecognizer, spoken_audio: AudioSpan
    ) -> None:
        lines = recognizer.transcribe(replace(spoken_audio, start_s=3600.0))
        end_s = 3600.0 + len(spoken_audio.samples) / spoken_audio.sample_rate
        assert lines
        assert all(line.origin is Origin.SPEECH and line.text for line in lines)
        assert all(3600.0 <= (line.start_s or 0) < (line.end_s or 0) <= end_s for line in lines)
        assert [line.start_s for line in lines] == sorted(line.start_s or 0 for line in lines)

    def test_nothing_is_said_in_an_empty_or_silent_span(self, recognizer: SpeechRecognizer) -> None:
        for seconds in (0, 3):
            silence = AudioSpan(5.0, 16_000, np.zeros(seconds * 16_000, dtype=np.float32))
            assert recognizer.transcribe(silence) == []
            assert recognizer.find_pause(silence) == 5.0

    def test_speech_is_divided_where_nobody_speaks(self, recognizer: SpeechRecognizer, spoken_audio: AudioSpan) -> None:
        audio = replace(spoken_audio, start_s=60.0)
        at_s = recognizer.find_pause(audio)
        assert 60.0 < at_s < 60.0 + len(audio.samples) / audio.sample_rate
        assert recognizer.find_pause(audio) == at_s
        middle = round((at_s - 60.0) * audio.sample_rate)
        around = audio.samples[middle - audio.sample_rate // 10 : middle + audio.sample_rate // 10]
        assert np.abs(around).max() < 0.05 * np.abs(audio.samples).max()
