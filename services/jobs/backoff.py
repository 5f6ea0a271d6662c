"""Exponential backoff between the attempts of one operation."""

from __future__ import annotations


def exponential_backoff_s(attempt: int, first_s: float, max_s: float) -> float:
    """Return the seconds to wait after a failed attempt (from 1): `first_s`, doubled each time, at most `max_s`."""
    return min(first_s * 2.0 ** (attempt - 1), max_s)
