"""Reading of found passages for an answer: which of them answer, where in them, and whether any does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from services.reading.ports import AnswerReader
from services.reading.units import ReadUnit
from services.search.calibration import sigmoid
from services.search.types import AnswerUnit, RetrievedSegment


@dataclass(frozen=True, slots=True)
class AnswerFinderSettings:
    """Numbers that decide which passages answer.

    The probability that a unit is a right answer is the logistic function of `reader_weight` times the reader's score
    plus `search_weight` times the passage's fused score plus `bias`.
    """

    min_probability: float
    """Probability below which nothing is answered."""
    reader_weight: float = 0.298
    """Measured: `python -m benchmarks.answer_reader`: fitted on the questions of the work half, as the next two."""
    search_weight: float = 0.223
    """Measured: `python -m benchmarks.answer_reader`."""
    bias: float = -0.776
    """Measured: `python -m benchmarks.answer_reader`."""
    max_passages: int = 16
    """Measured: `python -m benchmarks.answer_reader --every 2`: a unit of them is right for 0.86 of the questions; the
    time grows with their number."""


class AnswerFinder:
    """Reads the passages that search found, best first, with an `AnswerReader`, which is loaded at first use."""

    def __init__(self, reader: Callable[[], AnswerReader], settings: AnswerFinderSettings) -> None:
        self._reader, self._settings = reader, settings

    @property
    def max_passages(self) -> int:
        """Passages that are worth finding."""
        return self._settings.max_passages

    def preload(self) -> None:
        """Load the reader. Errors: ModelError."""
        self._reader().read("ready", [])

    def find_answers(self, question: str, passages: Sequence[RetrievedSegment]) -> list[RetrievedSegment]:
        """Return the passages with their units' probabilities, the likeliest first; none where nothing answers."""
        units = self._reader().read(question, [passage.segment for passage in passages])
        read = [
            replace(passage, answer_units=tuple(self._judge(unit, passage) for unit in found))
            for passage, found in zip(passages, units, strict=True)
            if found
        ]
        read.sort(key=_best_probability, reverse=True)
        return read if read and _best_probability(read[0]) >= self._settings.min_probability else []

    def _judge(self, unit: ReadUnit, passage: RetrievedSegment) -> AnswerUnit:
        settings = self._settings
        logit = settings.reader_weight * unit.score + settings.search_weight * passage.fused_score + settings.bias
        return AnswerUnit(unit.start, unit.end, sigmoid(logit))


def _best_probability(passage: RetrievedSegment) -> float:
    return max(unit.probability for unit in passage.answer_units)
