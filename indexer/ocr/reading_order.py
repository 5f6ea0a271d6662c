"""In which order the lines of a picture are read, and which of them belong together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MIN_COLUMN_LINES = 3
_MIN_PROSE_WIDTH = 10.0
"""Columns are read one after the other where each holds 3 lines or more, whose median width is 10 line heights: prose.
Narrower ones are the columns of a table or a form, whose rows belong together."""
_PARAGRAPH_GAP = 0.8
"""A gap between lines of more than this many line heights ends a paragraph."""


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in pixels, half-open, y downwards."""

    x0: int
    y0: int
    x1: int
    y1: int

    @classmethod
    def around(cls, quad: NDArray[np.float32]) -> Rect:
        """The upright rectangle around a quadrilateral, at least one pixel wide and high."""
        x0, y0 = (int(value) for value in np.floor(quad.min(axis=0)))
        x1, y1 = (int(value) for value in np.ceil(quad.max(axis=0)))
        return cls(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))

    @property
    def width(self) -> int:
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        return self.y1 - self.y0

    @property
    def area(self) -> int:
        return self.width * self.height

    def intersection_area(self, other: Rect) -> int:
        """The pixels that both cover."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        return max(0, width) * max(0, height)

    def iou(self, other: Rect) -> float:
        """Intersection over union."""
        shared = self.intersection_area(other)
        return shared / (self.area + other.area - shared)

    def contains(self, other: Rect) -> bool:
        return self.x0 <= other.x0 and self.y0 <= other.y0 and self.x1 >= other.x1 and self.y1 >= other.y1

    def union(self, other: Rect) -> Rect:
        """The smallest rectangle around both."""
        return Rect(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))


def sort_in_reading_order(rects: Sequence[Rect]) -> list[int]:
    """Indices from top to bottom; boxes that share half the smaller one's height are one line, left to right."""
    waiting = sorted(range(len(rects)), key=lambda i: (rects[i].y0 + rects[i].y1, rects[i].x0))
    order: list[int] = []
    while waiting:
        first = rects[waiting[0]]
        row = [i for i in waiting if _in_same_row(first, rects[i])]
        order += sorted(row, key=lambda i: rects[i].x0)
        waiting = [i for i in waiting if i not in row]
    return order


def group_paragraphs(rects: Sequence[Rect]) -> list[list[int]]:
    """Groups of indices, each in reading order: cut at vertical gaps, and between columns of prose."""
    return [group for group in _xy_cut(rects, list(range(len(rects)))) if group]


def _xy_cut(rects: Sequence[Rect], indices: list[int]) -> list[list[int]]:
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
    shapes = [rects[i].width / rects[i].height for i in column]
    return len(column) >= _MIN_COLUMN_LINES and float(np.median(shapes)) >= _MIN_PROSE_WIDTH


def _in_same_row(a: Rect, b: Rect) -> bool:
    shared = min(a.y1, b.y1) - max(a.y0, b.y0)
    return shared > 0.5 * min(a.height, b.height)
