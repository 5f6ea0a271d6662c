"""Reading of found passages for an answer: which of them answer, where in them, and whether any does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.reading.confidence import ConfidenceWeights, UnitScores, find_missing_numbers
from services.reading.ports import AnswerReader
from services.reading.units import ReadUnit
from services.search.curves import sigmoid
from services.search.types import AnswerUnit, RetrievedSegment

TRAINED_WEIGHTS = ConfidenceWeights(
    search_share=0.5, typical=-3.70, best=0.094, lead=0.264, search=0.100, missing_numbers=-1.450, bias=-1.292
)
"""Measured: `python -m benchmarks.answer_reader --every 2`: fitted on questions of the work half."""


@dataclass(frozen=True, slots=True)
class AnswerFinderSettings:
    """Numbers that decide which passages answer.

    A unit that is `n` below the best one has a logit that is `n` times `unit_weight` below that of the best.
    """

    min_probability: float
    """Probability below which nothing is answered."""
    weights: ConfidenceWeights = TRAINED_WEIGHTS
    unit_weight: float = 0.282
    """Measured: `python -m benchmarks.answer_reader`: slope of the probability by the score of a unit alone."""
    max_passages: int = 16
    """Measured: `python -m benchmarks.answer_reader`: a unit of them is right for 0.87 of the questions; the time grows
    with their number."""


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
        if not any(units):
            return []
        table = tabulate_units(question, passages, units)
        logit, scores = self._settings.weights.judge(table), self._settings.weights.score(table)
        if sigmoid(logit) < self._settings.min_probability:
            return []
        logits = iter(logit - self._settings.unit_weight * (scores.max() - scores))
        judged = [tuple(AnswerUnit(unit.start, unit.end, sigmoid(next(logits))) for unit in found) for found in units]
        read = [replace(passage, answer_units=found) for passage, found in zip(passages, judged, strict=True) if found]
        return sorted(read, key=_best_probability, reverse=True)


def tabulate_units(
    question: str, passages: Sequence[RetrievedSegment], units: Sequence[Sequence[ReadUnit]]
) -> UnitScores:
    """Return the scores of all units of some passages in a row."""
    rows = [
        (number, unit.score, passage.fused_score, missing)
        for number, (passage, found) in enumerate(zip(passages, units, strict=True))
        for missing in [find_missing_numbers(question, passage.segment, passage.asset.name)]
        for unit in found
    ]
    return UnitScores(*np.array(rows, dtype=np.float64).reshape(-1, 4).T)


def _best_probability(passage: RetrievedSegment) -> float:
    return max(unit.probability for unit in passage.answer_units)
