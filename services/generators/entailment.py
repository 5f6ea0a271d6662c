"""The probability of yes against no, as every model that answers a yes-or-no question is asked for it."""

from __future__ import annotations

_MIN_ANSWER_PROBABILITY = 0.1
"""Chosen: below it nine answers in ten would be neither yes nor no, and the ratio of the rest is noise."""


def weigh_yes(yes: float, no: float) -> float | None:
    """Return the share of yes in the probabilities of yes and of no as the beginning of an answer.

    None where the two together are unlikely: the model does not answer the question.
    """
    return yes / (yes + no) if yes + no >= _MIN_ANSWER_PROBABILITY else None
