"""Listening to a video checkpoint by checkpoint: each has the speech between two pauses near its boundaries.

A boundary falls into a word as often as not. Speech is therefore divided at the longest pause of the first seconds
behind it, which depends on the sound alone: both checkpoints find the same place, in an uninterrupted run and in a
resumed one, and no word is cut or heard twice.
"""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

from indexer.media.sandbox.client import SandboxedDecoder
from indexer.pipeline.bounded_stage import BoundedStage
from indexer.ports import SpeechRecognizer
from indexer.types import AudioSpan, TextLine

_SEARCH_S = 10.0
"""Chosen: seconds behind a boundary in which a pause is looked for; people seldom speak longer without one."""


class Listener:
    """Listener to one video; a decoder of its own reads the sound while the frames are decoded."""

    def __init__(
        self, path: Path, speech: SpeechRecognizer, decoder: SandboxedDecoder, stage: BoundedStage, checkpoint_s: float
    ) -> None:
        self._path, self._speech, self._decoder, self._stage = path, speech, decoder, stage
        self._checkpoint_s = checkpoint_s
        self._last_division: tuple[int, float] = (0, 0.0)

    def submit(self, number: int) -> Future[list[TextLine]]:
        """Start to transcribe the speech of checkpoint `number`; block while the stage is full."""
        return self._stage.submit(lambda: self._transcribe(number))

    def _transcribe(self, number: int) -> list[TextLine]:
        start_s, end_s = self._find_division(number), self._find_division(number + 1)
        return self._speech.transcribe(self._read(start_s, end_s))

    def _find_division(self, number: int) -> float:
        """Return the time at which the speech of checkpoint `number` begins."""
        if number != self._last_division[0]:
            boundary_s = number * self._checkpoint_s
            audio = self._read(boundary_s, boundary_s + min(_SEARCH_S, self._checkpoint_s / 2))
            self._last_division = number, self._speech.find_pause(audio)
        return self._last_division[1]

    def _read(self, start_s: float, end_s: float) -> AudioSpan:
        return self._decoder.read_audio(self._path, start_s, end_s)
