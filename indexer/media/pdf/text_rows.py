"""Words and rows of a page, the material of layout analysis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MIN_ROW_OVERLAP = 0.5
"""Chosen: share of the smaller height that two boxes of one row overlap; less would join lines that are set close."""


@dataclass(frozen=True, slots=True)
class Word:
    """A run of characters without a space; x to the right in reading direction, y downwards, in any unit."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def height(self) -> float:
        """Height of the box."""
        return self.y1 - self.y0

    @property
    def center_y(self) -> float:
        """Vertical center of the box."""
        return (self.y0 + self.y1) / 2


@dataclass(frozen=True, slots=True)
class TextRow:
    """A line of text or a part of it, table cells separated by tabs. Rows of one `block` are a paragraph or table.

    `cells` are the left and right edges of the cells of a row that has several. A row with `is_label` has the labels of
    a chart or diagram.
    """

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    height: float
    block: int = 0
    cells: tuple[tuple[float, float], ...] = ()
    is_label: bool = False

    @property
    def center_y(self) -> float:
        """Vertical center of the box."""
        return (self.y0 + self.y1) / 2


def in_same_row(a: TextRow, b: TextRow) -> bool:
    """Return True if two boxes overlap vertically by half the smaller height."""
    return min(a.y1, b.y1) - max(a.y0, b.y0) >= MIN_ROW_OVERLAP * min(a.y1 - a.y0, b.y1 - b.y0)


def bounding_row(text: str, parts: Sequence[Word | TextRow], height: float) -> TextRow:
    """Return a row with the bounding box of its parts."""
    left, top = min(part.x0 for part in parts), min(part.y0 for part in parts)
    return TextRow(text, left, top, max(part.x1 for part in parts), max(part.y1 for part in parts), height)
