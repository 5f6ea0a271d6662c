"""Layout analysis: reading order, columns, paragraphs and table rows, from the boxes of words alone.

Decision 0071 compares it with others, and says why OCR has a reading order of its own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from statistics import median, quantiles

import numpy as np

from indexer.text.list_markers import has_list_marker, is_list_marker

_MIN_ROW_OVERLAP = 0.5
"""Chosen: share of the smaller height that two boxes of one row overlap; less would join lines that are set close."""
_MAX_WORD_GAP = 0.1
"""Chosen: pieces closer than this many heights are one word (a change of font); more would join words without space."""
_MIN_CELL_GAP = 0.75
"""Chosen: words farther apart than this many heights are cells or columns; justified text has gaps below it."""
_HEIGHT_CHANGE_FACTOR = 1.2
"""Chosen: a line taller or lower than the one before by this factor begins a paragraph; superscripts stay below it."""
_PARAGRAPH_PITCH_FACTOR = 1.4
"""Chosen: a line farther below than this factor of the usual pitch (the lower quartile of a column) begins one,"""
_SINGLE_SPACING_PITCH = 1.3
"""Chosen: but only if the pitch is also more than this many heights; tight columns have irregular pitches."""
_MAX_PITCH = 2.8
"""Chosen: a line farther below than this many heights begins a paragraph, even in double-spaced text."""
_MIN_INDENT = 0.8
"""Chosen: a line indented by this many heights, whose next line is not, begins a paragraph; less is ragged setting."""

_MIN_COLUMN_LINES = 3
"""Chosen: fewer lines side by side are no columns; more would miss short columns."""
_MIN_PROSE_CHARS = 20
"""Chosen: median characters of a line of prose; table cells are mostly shorter, newspaper columns longer."""
_MIN_PROSE_FILL = 0.7
"""Chosen: prose fills this share of its widest lines (9th decile); cells of a table vary more."""
_MIN_LOOSE_LINE_CHARS = 8
"""Chosen: median characters of columns of short lines (lists, addresses); below it, cells of numbers."""
_MAX_ALIGNED_SHARE = 0.5
"""Chosen: columns of short lines have less than this share of lines level with one opposite; tables have more."""

_MAX_FRAGMENTS = 3000
"""Chosen: a page of more fragments is read row by row; the search for gutters would take too long."""


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
    """A line of text or a part of it, table cells separated by tabs. Rows of one `block` are a paragraph or table."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    height: float
    block: int = 0

    @property
    def center_y(self) -> float:
        """Vertical center of the box."""
        return (self.y0 + self.y1) / 2


def analyze_layout(words: Sequence[Word]) -> list[TextRow]:
    """Return words as rows in reading order, column after column; `block` numbers the paragraphs from 0."""
    groups = _split_columns(_build_fragments(words))
    paragraphs = [paragraph for group in groups for paragraph in _group_paragraphs(_group_rows(group))]
    return [replace(row, block=block) for block, rows in enumerate(paragraphs) for row in rows]


# Words to fragments: words of one row with no more than a space between them


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
        beside = (shared >= _MIN_ROW_OVERLAP * np.minimum(heights[near], heights[i])) & (centres[near] > centres[i])
        beside &= (gap <= _MIN_CELL_GAP * height) & (gap >= -_MIN_ROW_OVERLAP * height)
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
    return _bounding_row(text, chain, median(word.height for word in chain))


def _is_right_to_left(chain: list[Word]) -> bool:
    """Return True if most directional characters are written from right to left (UAX #9 classes R and AL)."""
    directions = [unicodedata.bidirectional(character) for word in chain for character in word.text]
    return sum(d in ("R", "AL") for d in directions) > sum(d == "L" for d in directions)


def _bounding_row(text: str, parts: Sequence[Word | TextRow], height: float) -> TextRow:
    """Return a row with the bounding box of its parts."""
    left, top = min(part.x0 for part in parts), min(part.y0 for part in parts)
    return TextRow(text, left, top, max(part.x1 for part in parts), max(part.y1 for part in parts), height)


# Fragments to columns


def _split_columns(fragments: list[TextRow]) -> list[list[TextRow]]:
    """Return groups of fragments that are read one after the other: columns, recursively, from left to right.

    A gutter divides only the sections of a page where no text crosses it; what crosses it (a title, a wide table) is
    read in its place.
    """
    fragments = sorted(fragments, key=lambda row: row.center_y)
    gutter = _find_best_gutter(fragments) if len(fragments) <= _MAX_FRAGMENTS else None
    if gutter is None:
        return [fragments] if fragments else []
    groups: list[list[TextRow]] = []
    crossing: list[TextRow] = []
    for section in _split_sections(fragments, gutter):
        left, right = _split_at_gutter(section, gutter)
        if _are_columns(left, right):
            groups += [*([crossing] if crossing else []), *_split_columns(left), *_split_columns(right)]
            crossing = []
        else:
            crossing = crossing + section
    return [*groups, crossing] if crossing else groups


def _find_best_gutter(fragments: list[TextRow]) -> float | None:
    """Return the x that divides most fragments into columns; None where none does."""
    best, max_divided = None, 0
    for gutter in _candidate_gutters(fragments):
        sides = [_split_at_gutter(section, gutter) for section in _split_sections(fragments, gutter)]
        divided = sum(len(left) + len(right) for left, right in sides if _are_columns(left, right))
        if divided > max_divided:
            best, max_divided = gutter, divided
    return best


def _candidate_gutters(fragments: list[TextRow]) -> list[float]:
    """Return candidate x positions: just left of where fragments begin."""
    gutters: list[float] = []
    for row in sorted(fragments, key=lambda row: row.x0):
        gutter = row.x0 - _MIN_CELL_GAP / 3 * row.height
        if not gutters or gutter - gutters[-1] > _MIN_ROW_OVERLAP * row.height:
            gutters.append(gutter)
    return gutters[1:]


def _split_sections(fragments: list[TextRow], gutter: float) -> list[list[TextRow]]:
    """Cut fragments, sorted from top to bottom, where they change between crossing the gutter and not crossing it."""
    sections: list[list[TextRow]] = []
    crossed: bool | None = None
    for row in fragments:
        crosses = row.x0 < gutter < row.x1
        if crosses != crossed:
            sections.append([])
        sections[-1].append(row)
        crossed = crosses
    return sections


def _split_at_gutter(section: list[TextRow], gutter: float) -> tuple[list[TextRow], list[TextRow]]:
    """Return the fragments left and right of a gutter."""
    left = [row for row in section if row.x1 <= gutter]
    return left, [row for row in section if row.x0 >= gutter]


def _are_columns(left: list[TextRow], right: list[TextRow]) -> bool:
    """Return True if both sides of a gutter are columns of text, not cells of a table."""
    if not left or not right or max(len(left), len(right)) < _MIN_COLUMN_LINES:
        return False
    if _is_prose(left) and _is_prose(right):
        return True
    if (
        min(len(left), len(right)) < _MIN_COLUMN_LINES
        or min(_median_length(left), _median_length(right)) < _MIN_LOOSE_LINE_CHARS
    ):
        return False
    aligned = sum(any(abs(row.center_y - other.center_y) < row.height / 4 for other in left) for row in right)
    return aligned < _MAX_ALIGNED_SHARE * len(right)


def _is_prose(side: list[TextRow]) -> bool:
    """Return True if the lines are long and fill their column."""
    if _median_length(side) < _MIN_PROSE_CHARS:
        return False
    widths = [row.x1 - row.x0 for row in side]
    return len(side) < _MIN_COLUMN_LINES or median(widths) >= _MIN_PROSE_FILL * quantiles(widths, n=10)[-1]


def _median_length(side: list[TextRow]) -> float:
    """Return the median display width of the lines."""
    return median(_display_width(row.text) for row in side)


@lru_cache(maxsize=2 * _MAX_FRAGMENTS)
def _display_width(text: str) -> int:
    """Return the number of characters; East Asian wide ones count twice (UAX #11)."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


# Fragments to rows, rows to paragraphs


def _group_rows(fragments: list[TextRow]) -> list[TextRow]:
    """Return fragments of one group as rows from top to bottom, the cells of each from left to right."""
    rows: list[list[TextRow]] = []
    for part in sorted(fragments, key=lambda part: part.center_y):
        if rows and _in_same_row(rows[-1][0], part):
            rows[-1].append(part)
        else:
            rows.append([part])
    return [_join_cells(sorted(parts, key=lambda part: part.x0)) for parts in rows]


def _join_cells(cells: list[TextRow]) -> TextRow:
    """Join the cells of a row with tabs; a bullet or number of a list is no cell."""
    texts = [cell.text for cell in cells]
    if len(texts) > 1 and is_list_marker(texts[0]):
        texts[:2] = [f"{texts[0]} {texts[1]}"]
    return _bounding_row("\t".join(texts), cells, median(cell.height for cell in cells))


def _in_same_row(a: TextRow, b: TextRow) -> bool:
    """Return True if two boxes overlap vertically by half the smaller height."""
    return min(a.y1, b.y1) - max(a.y0, b.y0) >= _MIN_ROW_OVERLAP * min(a.y1 - a.y0, b.y1 - b.y0)


def _group_paragraphs(rows: list[TextRow]) -> list[list[TextRow]]:
    """Return rows grouped by paragraph or table."""
    pitches = [lower.center_y - upper.center_y for upper, lower in pairwise(rows)]
    usual_pitch = sorted(pitches)[len(pitches) // 4] if pitches else 0.0
    paragraphs: list[list[TextRow]] = []
    for i, row in enumerate(rows):
        next_row = rows[i + 1] if i + 1 < len(rows) else None
        if not paragraphs or _starts_paragraph(paragraphs[-1], row, next_row, usual_pitch):
            paragraphs.append([])
        paragraphs[-1].append(row)
    return paragraphs


def _starts_paragraph(paragraph: list[TextRow], row: TextRow, next_row: TextRow | None, usual_pitch: float) -> bool:
    """Return True if `row` begins a new paragraph, by pitch, height, table structure, list marker or indentation."""
    before = paragraph[-1]
    height = max(before.height, row.height)
    pitch = row.center_y - before.center_y
    if pitch > min(_MAX_PITCH * height, max(_PARAGRAPH_PITCH_FACTOR * usual_pitch, _SINGLE_SPACING_PITCH * height)):
        return True
    if ("\t" in before.text) != ("\t" in row.text) or height > _HEIGHT_CHANGE_FACTOR * min(before.height, row.height):
        return True
    return "\t" not in row.text and (has_list_marker(row.text) or _is_indented(paragraph, row, next_row))


def _is_indented(paragraph: list[TextRow], row: TextRow, next_row: TextRow | None) -> bool:
    """Return True if `row` is indented against the lines around it, or ends an indented paragraph."""
    step = _MIN_INDENT * max(paragraph[-1].height, row.height)
    if row.x0 - paragraph[-1].x0 > step:
        return next_row is not None and row.x0 - next_row.x0 > step and not has_list_marker(paragraph[0].text)
    may_be_indented = len(paragraph) > 1 or has_list_marker(paragraph[0].text)
    return may_be_indented and paragraph[-1].x0 - row.x0 > step
