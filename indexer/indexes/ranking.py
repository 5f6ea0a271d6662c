"""Ranking of hits and handling of tied scores, the same in every index."""

from __future__ import annotations

from collections.abc import Iterable

from indexer.types import Hit

SCORE_DECIMALS = 7
"""Chosen: decimals of a score, so that equal scores stay equal however they were summed; fewer would merge others."""

EXTRA_CANDIDATES = 8
"""Chosen: vectors fetched beyond the limit, so that one query mostly shows where a tie ends; more take longer."""

MAX_TIED_CANDIDATES = 4096
"""Chosen: vectors fetched beyond the limit at most where scores are tied; bounds the time among equal vectors."""

TIE_TOLERANCE = 2e-6
"""Chosen: above the rounding error of float32 dot products of unit vectors; scores closer than this may be equal."""


def sort_best_first(hits: Iterable[Hit]) -> list[Hit]:
    """Sort hits by score, best first, ties by asset id and ordinal."""
    return sorted(hits, key=lambda hit: (-hit.score, hit.asset_id, hit.segment.ordinal))
