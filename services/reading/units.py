"""Units of a passage that can be an answer: its sentences, lines and rows of tables."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.text.sentences import split_sentences


@dataclass(frozen=True, slots=True)
class ReadUnit:
    """Characters `[start, end)` of a passage with the score that a reader gives them as an answer."""

    start: int
    end: int
    score: float


def split_into_units(text: str) -> list[tuple[int, int]]:
    """Return the spans of a text's units, in order; what has no letter or digit belongs to the unit before it."""
    units: list[tuple[int, int]] = []
    for start, end in split_sentences(text):
        if any(character.isalnum() for character in text[start:end]):
            units.append((start, end))
        elif units:
            units[-1] = (units[-1][0], end)
    return units
