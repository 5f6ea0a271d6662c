"""Contract of speech recognizers: a test class inherits it and gives it a recognizer as a fixture."""

from __future__ import annotations

import numpy as np
import pytest

from indexer.ports import SpeechRecognizer
from indexer.types import AudioSpan, Origin


class SpeechRecognizerContract:
    """Tests of every speech recognizer. A subclass has the fixture `recognizer`."""

    @pytest.fixture
    def recognizer(self) -> SpeechRecognizer:
        raise NotImplementedError

    def test_lines_lie_inside_the_span_and_are_in_order(self, recognizer: SpeechRecognizer) -> None:
        seconds = np.arange(4 * 16_000) / 16_000
        wave = 0.3 * np.sin(2 * np.pi * (200 + 100 * np.sin(6 * seconds)) * seconds)
        lines = recognizer.transcribe(AudioSpan(3600.0, 16_000, wave.astype(np.float32)))
        assert all(line.origin is Origin.SPEECH and line.text for line in lines)
        assert all(3600.0 <= line.start_s < line.end_s <= 3604.0 for line in lines if line.start_s and line.end_s)
        assert [line.start_s for line in lines] == sorted(line.start_s or 0 for line in lines)

    def test_nothing_is_said_in_an_empty_span(self, recognizer: SpeechRecognizer) -> None:
        assert recognizer.transcribe(AudioSpan(0.0, 16_000, np.zeros(0, dtype=np.float32))) == []
