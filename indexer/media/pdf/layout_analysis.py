"""Layout analysis: reading order, columns, paragraphs and table rows, from the boxes of words alone.

Decision 0071 compares it with others, and says why OCR has a reading order of its own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from indexer.media.pdf.columns import split_columns
from indexer.media.pdf.drawings import split_labels
from indexer.media.pdf.paragraphs import group_paragraphs, group_rows, join_wrapped_cells
from indexer.media.pdf.text_rows import MIN_ROW_OVERLAP, TextRow, Word, bounding_row

_MAX_WORD_GAP = 0.1
"""Chosen: pieces closer than this many heights are one word (a change of font); more would join words without space."""
_MIN_CELL_GAP = 0.75
"""Chosen: words farther apart than this many heights are cells or columns; justified text has gaps below it."""


_NO_DRAWINGS = np.empty((0, 4))


def analyze_layout(words: Sequence[Word], drawings: NDArray[np.float64] = _NO_DRAWINGS) -> list[TextRow]:
    """Return words as rows in reading order, column after column; `block` numbers the paragraphs from 0.

    The labels of each of `drawings` `[drawings, 4]` (left, top, right, bottom) are a block, after the text above it.
    """
    text, labels = split_labels(_build_fragments(words), drawings)
    paragraphs = [
        paragraph
        for group in split_columns(text)
        for paragraph in group_paragraphs(join_wrapped_cells(group_rows(group)))
    ]
    for parts in labels:
        rows = [replace(row, is_label=True) for row in group_rows(parts)]
        paragraphs.insert(_place_of(rows, paragraphs), rows)
    return [replace(row, block=block) for block, rows in enumerate(paragraphs) for row in rows]


def _place_of(labels: Sequence[TextRow], paragraphs: Sequence[Sequence[TextRow]]) -> int:
    """Return the number of the paragraph before which a drawing's labels stand: the nearest one below in its column."""
    left, right = min(row.x0 for row in labels), max(row.x1 for row in labels)
    middle = (labels[0].y0 + labels[-1].y1) / 2
    below = [
        (rows[0].y0, number)
        for number, rows in enumerate(paragraphs)
        if rows[0].y0 > middle and min(right, rows[0].x1) > max(left, rows[0].x0)
    ]
    return min(below)[1] if below else len(paragraphs)


def _build_fragments(words: Sequence[Word]) -> list[TextRow]:
    """Return words joined to fragments: runs of words of one row with no more than a space between them."""
    following = _find_right_neighbours(words)
    followers = set(following.values())
    fragments = []
    for first in range(len(words)):
        if first in followers:
            continue
        chain, at = [words[first]], first
        while at in following:
            at = following[at]
            chain.append(words[at])
        fragments.append(_join_words(chain))
    return fragments


def _find_right_neighbours(words: Sequence[Word]) -> dict[int, int]:
    """Return for each word its right neighbour in the same fragment; a word is the neighbour of at most one other."""
    order = sorted(range(len(words)), key=lambda i: words[i].center_y)
    boxes = np.array([(words[i].x0, words[i].y0, words[i].x1, words[i].y1) for i in order], np.float64).reshape(-1, 4)
    x0, y0, x1, y1 = boxes.T
    heights, middles, centres = y1 - y0, (y0 + y1) / 2, (x0 + x1) / 2
    reach = heights.max(initial=0.0) / 2
    firsts = np.searchsorted(middles, y0 - reach)
    lasts = np.searchsorted(middles, y1 + reach, side="right")
    nearest: dict[int, tuple[float, int]] = {}
    for i, (first, last) in enumerate(zip(firsts.tolist(), lasts.tolist(), strict=True)):
        near = slice(first, last)
        shared = np.minimum(y1[near], y1[i]) - np.maximum(y0[near], y0[i])
        gap = x0[near] - x1[i]
        height = np.maximum(heights[near], heights[i])
        beside = (shared >= MIN_ROW_OVERLAP * np.minimum(heights[near], heights[i])) & (centres[near] > centres[i])
        beside &= (gap <= _MIN_CELL_GAP * height) & (gap >= -MIN_ROW_OVERLAP * height)
        if beside.any():
            j = int(np.where(beside, np.abs(gap), np.inf).argmin())
            candidate = (float(abs(gap[j])), order[i])
            nearest[order[first + j]] = min(nearest.get(order[first + j], candidate), candidate)
    return {i: j for j, (_, i) in nearest.items()}


def _join_words(chain: list[Word]) -> TextRow:
    """Return words from left to right as one fragment, in reading order where they are written from right to left."""
    text = chain[0].text
    if _is_right_to_left(chain):
        text = " ".join(word.text for word in reversed(chain))
    else:
        for left, right in pairwise(chain):
            text += ("" if right.x0 - left.x1 < _MAX_WORD_GAP * max(left.height, right.height) else " ") + right.text
    return bounding_row(text, chain, median(word.height for word in chain))


def _is_right_to_left(chain: list[Word]) -> bool:
    """Return True if most directional characters are written from right to left (UAX #9 classes R and AL)."""
    directions = [unicodedata.bidirectional(character) for word in chain for character in word.text]
    return sum(d in ("R", "AL") for d in directions) > sum(d == "L" for d in directions)
