"""Confidence that the best unit answers the question, by what a reader's scores of single units do not say.

A question without an answer has many units that could be one, each a little; a question with one has a unit that stands
out. And a passage that lacks a number of the question (another year, another model) seldom answers it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.text.passage import text_with_context
from indexer.types import Segment

_COMPARED_UNITS = 3
"""Chosen: of other passages, the best few that a reader would doubt the answer by."""
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class UnitScores:
    """Scores of all units that were read for a question, in one order, `[units]` each.

    `passage` is the number of a unit's passage, `reader` the reader's score, `search` the fused score of the passage,
    `missing_numbers` the share of the question's numbers that the passage lacks.
    """

    passage: NDArray[np.float64]
    reader: NDArray[np.float64]
    search: NDArray[np.float64]
    missing_numbers: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ConfidenceWeights:
    """Weights of a linear judgement, whose logistic function is the probability that the best units answer.

    Units are ordered by `score`, which is the reader's score and `search_share` of the fused score. `best` weighs the
    best unit's, `lead` how far it is above the mean of the best three of other passages (`typical` stands in for units
    that there are not), `search` the fused score of its passage, `missing_numbers` the share of the question's numbers
    that it lacks.
    """

    search_share: float
    typical: float
    best: float
    lead: float
    search: float
    missing_numbers: float
    bias: float

    def score(self, units: UnitScores) -> NDArray[np.float64]:
        """Return the scores that units are ordered by."""
        return units.reader + self.search_share * units.search

    def judge(self, units: UnitScores) -> float:
        """Return the logit of the probability that the best of at least one unit answers."""
        best, lead, search, missing = describe_best(units, self.score(units), self.typical)
        logit = self.best * best + self.lead * lead + self.search * search + self.missing_numbers * missing + self.bias
        return float(logit)


def describe_best(units: UnitScores, scores: NDArray[np.float64], typical: float) -> NDArray[np.float64]:
    """Return best score, lead, fused score and missing numbers of the best of at least one unit."""
    best = int(scores.argmax())
    others = scores[units.passage != units.passage[best]]
    compared = np.sort(np.append(others, [typical] * _COMPARED_UNITS))[-_COMPARED_UNITS:]
    lead = scores[best] - compared.mean()
    return np.array([scores[best], lead, units.search[best], units.missing_numbers[best]])


def find_missing_numbers(question: str, passage: Segment, name: str) -> float:
    """Return the share of a question's numbers that neither a passage with its context nor its file's name has."""
    asked = set(_NUMBER.findall(question))
    if not asked:
        return 0.0
    return len(asked - set(_NUMBER.findall(f"{name}\n{text_with_context(passage)}"))) / len(asked)
