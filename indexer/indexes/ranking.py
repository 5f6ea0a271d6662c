"""The order of hits, the same for every index."""

from __future__ import annotations

from collections.abc import Iterable

from indexer.types import Hit

SCORE_DECIMALS = 7
"""Scores are rounded to this, so that what is equal stays equal however it was summed."""


def sort_best_first(hits: Iterable[Hit]) -> list[Hit]:
    """By score, ties by asset id and ordinal."""
    return sorted(hits, key=lambda hit: (-hit.score, hit.asset_id, hit.segment.ordinal))
