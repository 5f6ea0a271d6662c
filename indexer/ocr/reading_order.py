"""Reading order and paragraphs of OCR boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MIN_ROW_OVERLAP = 0.5
"""Chosen: share of the smaller height that two boxes of one row overlap; less would join lines that are set close."""
_MIN_COLUMN_LINES = 3
"""Chosen: a column of fewer lines is more often a label and its value than prose."""
_MIN_PROSE_WIDTH = 10.0
"""Chosen: median width of a column's lines in line heights; narrower columns are those of a table or a form, whose rows
belong together."""
_MIN_LONG_LINE = 5.0
"""Chosen: widths in heights of lines whose slope is measured; that of shorter ones is noise."""
_MIN_SKEW, _MAX_SKEW = 0.003, 0.2
"""Chosen: slopes that change the order of a page: at less, rows are level (3 pixels in 1000); at more, it is turned."""
_PARAGRAPH_GAP = 0.8
"""Chosen: a gap of more than this many line heights ends a paragraph."""


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


def measure_slope(quad: NDArray[np.float32]) -> tuple[float, float]:
    """Return by how many pixels a quadrilateral `[4, 2]` falls for each to the right, and its height across that."""
    (left, top), (right, bottom) = quad[0], quad[1]
    slope = float((bottom - top) / (right - left)) if right - left >= 1 else 0.0
    return slope, float(np.linalg.norm(quad[3] - quad[0]))


def straighten(rects: Sequence[Rect], slopes: Sequence[tuple[float, float]]) -> list[Rect]:
    """Return the boxes as on an upright page, where most lines of it slope (a scan that was fed askew).

    `slopes` are those of the lines and their heights (`measure_slope`).
    """
    pairs = list(zip(rects, slopes, strict=True))
    long = [slope for rect, (slope, height) in pairs if height and rect.width > _MIN_LONG_LINE * height]
    skew = float(np.median(long)) if len(long) >= _MIN_COLUMN_LINES else 0.0
    if not _MIN_SKEW < abs(skew) < _MAX_SKEW:
        return list(rects)
    top = min(0.0, -skew) * max(rect.x1 for rect in rects)
    return [_turn(rect, height, skew, top) for rect, (_, height) in pairs]


def _turn(rect: Rect, height: float, skew: float, top: float) -> Rect:
    middle = (rect.y0 + rect.y1) / 2 - skew * (rect.x0 + rect.x1) / 2 - top
    y0 = round(middle - height / 2)
    return Rect(rect.x0, y0, rect.x1, max(y0 + 1, round(middle + height / 2)))


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


def group_paragraphs(rects: Sequence[Rect]) -> list[list[int]]:
    """Return the indices of each paragraph in reading order: cut at vertical gaps, and between columns of prose."""
    return [group for group in _xy_cut(rects, list(range(len(rects)))) if group]


def _xy_cut(rects: Sequence[Rect], indices: list[int]) -> list[list[int]]:
    """Cut boxes recursively at empty columns and rows (recursive XY-cut, Nagy and Seth 1984)."""
    if len(indices) < 2:
        return [indices]
    height = float(np.median([rects[i].height for i in indices]))
    columns = _split_at_gaps(indices, lambda i: (rects[i].x0, rects[i].x1), height)
    if len(columns) > 1 and all(_is_prose(rects, column) for column in columns):
        return [part for column in columns for part in _xy_cut(rects, column)]
    bands = _split_at_gaps(indices, lambda i: (rects[i].y0, rects[i].y1), _PARAGRAPH_GAP * height)
    if len(bands) > 1:
        return [part for band in bands for part in _xy_cut(rects, band)]
    return [[indices[i] for i in sort_in_reading_order([rects[i] for i in indices])]]


def _split_at_gaps(indices: Sequence[int], extent: Callable[[int], tuple[int, int]], gap: float) -> list[list[int]]:
    """Group boxes whose extents along one axis lie no further apart than `gap`."""
    groups: list[list[int]] = []
    reach = 0
    for i in sorted(indices, key=extent):
        start, end = extent(i)
        if not groups or start - reach > gap:
            groups.append([])
            reach = end
        groups[-1].append(i)
        reach = max(reach, end)
    return groups


def _is_prose(rects: Sequence[Rect], column: Sequence[int]) -> bool:
    """Return True if a column has enough lines, and wide enough ones, to be read by itself."""
    shapes = [rects[i].width / rects[i].height for i in column]
    return len(column) >= _MIN_COLUMN_LINES and float(np.median(shapes)) >= _MIN_PROSE_WIDTH


def _in_same_row(a: Rect, b: Rect) -> bool:
    """Return True if two boxes overlap vertically by half the smaller height."""
    shared = min(a.y1, b.y1) - max(a.y0, b.y0)
    return shared > _MIN_ROW_OVERLAP * min(a.height, b.height)
