"""Reading order and paragraphs of OCR boxes, by the layout analysis of digital text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from indexer.text.layout_analysis import TextRow, arrange_fragments

_MIN_ROW_OVERLAP = 0.5
"""Chosen: share of the smaller height that two boxes of one row overlap; less would join lines that are set close."""
_HEIGHT_NOISE_FACTOR = 1.4
"""Measured: decision 0071; the detector varies the height of a line, and heights within this factor of the median are
taken as equal. Results are the same from 1.25 to 2; headings keep their height."""


@dataclass(frozen=True, slots=True)
class Rect:
    """Axis-aligned rectangle in pixels, half-open, y downwards."""

    x0: int
    y0: int
    x1: int
    y1: int

    @classmethod
    def around(cls, quad: NDArray[np.float32]) -> Rect:
        """Return the bounding rectangle of a quadrilateral `[4, 2]`, at least one pixel wide and high."""
        x0, y0 = (int(value) for value in np.floor(quad.min(axis=0)))
        x1, y1 = (int(value) for value in np.ceil(quad.max(axis=0)))
        return cls(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.y1 - self.y0

    @property
    def area(self) -> int:
        """Area in pixels."""
        return self.width * self.height

    def intersection_area(self, other: Rect) -> int:
        """Return the number of pixels that both rectangles cover."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        return max(0, width) * max(0, height)

    def iou(self, other: Rect) -> float:
        """Return the intersection over union of two rectangles, in [0, 1]."""
        shared = self.intersection_area(other)
        return shared / (self.area + other.area - shared)

    def contains(self, other: Rect) -> bool:
        """Return True if the other rectangle lies inside this one."""
        return self.x0 <= other.x0 and self.y0 <= other.y0 and self.x1 >= other.x1 and self.y1 >= other.y1

    def union(self, other: Rect) -> Rect:
        """Return the bounding rectangle of both."""
        return Rect(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))


def sort_in_reading_order(rects: Sequence[Rect]) -> list[int]:
    """Return indices in reading order: rows from top to bottom, the boxes of a row from left to right."""
    remaining = sorted(range(len(rects)), key=lambda i: (rects[i].y0 + rects[i].y1, rects[i].x0))
    order: list[int] = []
    while remaining:
        first = rects[remaining[0]]
        row = [i for i in remaining if _in_same_row(first, rects[i])]
        order += sorted(row, key=lambda i: rects[i].x0)
        remaining = [i for i in remaining if i not in row]
    return order


def group_paragraphs(rects: Sequence[Rect], texts: Sequence[str]) -> list[list[int]]:
    """Return the indices of the boxes of each paragraph or table, in reading order: columns one after the other."""
    if not rects:
        return []
    usual_height = median(rect.height for rect in rects)
    fragments = [_to_fragment(rect, text, usual_height) for rect, text in zip(rects, texts, strict=True)]
    indices = {id(fragment): i for i, fragment in enumerate(fragments)}
    paragraphs = arrange_fragments(fragments)
    return [[indices[id(fragment)] for row in rows for fragment in row] for rows in paragraphs]


def _to_fragment(rect: Rect, text: str, usual_height: float) -> TextRow:
    """Return a box as a fragment of layout analysis, the noise of its height removed."""
    is_usual = usual_height < rect.height * _HEIGHT_NOISE_FACTOR and rect.height < usual_height * _HEIGHT_NOISE_FACTOR
    return TextRow(text, rect.x0, rect.y0, rect.x1, rect.y1, usual_height if is_usual else rect.height)


def _in_same_row(a: Rect, b: Rect) -> bool:
    """Return True if two boxes overlap vertically by half the smaller height."""
    shared = min(a.y1, b.y1) - max(a.y0, b.y0)
    return shared > _MIN_ROW_OVERLAP * min(a.height, b.height)
