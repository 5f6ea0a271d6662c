"""Words on a page put into reading order: lines, columns, paragraphs, table rows. Geometry alone, no vendor."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from statistics import median, quantiles

import numpy as np

_MIN_ROW_OVERLAP = 0.5
"""Two boxes stand in one row where they share this much of the smaller one's height."""
_MAX_WORD_GAP = 0.1
"""Pieces closer than this many heights are one word (a change of font, a superscript)."""
_MIN_CELL_GAP = 0.75
"""Words farther apart than this many heights belong to different cells or columns."""
_HEIGHT_CHANGE_FACTOR = 1.2
"""A line taller or lower than the one before by this factor begins a paragraph."""
_PARAGRAPH_PITCH_FACTOR = 1.4
_SINGLE_SPACING_PITCH = 1.3
"""So does a line farther below than 1.4 times the usual distance of lines (the lower quarter of those in its column)
where that is more than single spacing,"""
_MAX_PITCH = 2.8
"""or farther than this many heights,"""
_MIN_INDENT = 0.8
"""or one indented by this many heights whose next line is not."""

_MIN_COLUMN_LINES = 3
_MIN_PROSE_CHARS = 20
_MIN_PROSE_FILL = 0.7
"""A side of a gutter is prose where its middle line has this many characters and fills this share of the widest."""
_MIN_LOOSE_LINE_CHARS = 8
_MAX_ALIGNED_SHARE = 0.5
"""Columns of shorter lines are told from a table by fewer lines than this share standing level with one opposite."""

_MAX_FRAGMENTS = 3000
"""A page in more pieces than this is read row by row: it is no page of columns for people."""

_LIST_MARKER = re.compile(r"(?:[•◦▪‣●○■–*-]|\(?(?:\d{1,2}|[a-z])[.)])(?=\s|$)")
"""What a list puts before its items."""


@dataclass(frozen=True, slots=True)
class Word:
    """A run of characters without a space, in points; x to the right in reading direction, y downwards."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def center_y(self) -> float:
        return (self.y0 + self.y1) / 2


@dataclass(frozen=True, slots=True)
class TextRow:
    """A line of text, table cells separated by tabs. Rows of one `block` are one paragraph or table."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    height: float
    block: int = 0

    @property
    def center_y(self) -> float:
        return (self.y0 + self.y1) / 2


def analyze_layout(words: Sequence[Word]) -> list[TextRow]:
    """The words as rows in reading order: column after column, where there are columns; `block` counts from 0."""
    rows: list[TextRow] = []
    block = 0
    for group in _split_columns(_build_fragments(words)):
        for paragraph in _group_paragraphs(_group_rows(group)):
            rows += [replace(row, block=block) for row in paragraph]
            block += 1
    return rows


# Words to fragments: what stands side by side with no more than a space between


def _build_fragments(words: Sequence[Word]) -> list[TextRow]:
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
    """For each word the one to its right in the same fragment; every word has at most one on either side."""
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
            found = (float(abs(gap[j])), order[i])
            nearest[order[first + j]] = min(nearest.get(order[first + j], found), found)
    return {i: j for j, (_, i) in nearest.items()}


def _join_words(chain: list[Word]) -> TextRow:
    text = chain[0].text
    if _is_right_to_left(chain):
        text = " ".join(word.text for word in reversed(chain))
    else:
        for left, right in pairwise(chain):
            text += ("" if right.x0 - left.x1 < _MAX_WORD_GAP * max(left.height, right.height) else " ") + right.text
    return _bounding_row(text, chain, median(word.height for word in chain))


def _is_right_to_left(chain: list[Word]) -> bool:
    directions = [unicodedata.bidirectional(character) for word in chain for character in word.text]
    return sum(d in ("R", "AL") for d in directions) > sum(d == "L" for d in directions)


def _bounding_row(text: str, parts: Sequence[Word | TextRow], height: float) -> TextRow:
    left, top = min(part.x0 for part in parts), min(part.y0 for part in parts)
    return TextRow(text, left, top, max(part.x1 for part in parts), max(part.y1 for part in parts), height)


# Fragments to columns


def _split_columns(fragments: list[TextRow]) -> list[list[TextRow]]:
    """Groups to be read one after the other. A gutter divides only the stretches of a page where it runs between text;
    what crosses it (a title, a wide table) is read where it stands."""
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
    """The x that divides most fragments into columns; None where none does."""
    best, max_divided = None, 0
    for gutter in _candidate_gutters(fragments):
        sides = [_split_at_gutter(section, gutter) for section in _split_sections(fragments, gutter)]
        divided = sum(len(left) + len(right) for left, right in sides if _are_columns(left, right))
        if divided > max_divided:
            best, max_divided = gutter, divided
    return best


def _candidate_gutters(fragments: list[TextRow]) -> list[float]:
    """Just left of where fragments begin."""
    gutters: list[float] = []
    for row in sorted(fragments, key=lambda row: row.x0):
        gutter = row.x0 - _MIN_CELL_GAP / 3 * row.height
        if not gutters or gutter - gutters[-1] > _MIN_ROW_OVERLAP * row.height:
            gutters.append(gutter)
    return gutters[1:]


def _split_sections(fragments: list[TextRow], gutter: float) -> list[list[TextRow]]:
    """The page, given from top to bottom, cut where it changes between crossing the gutter and not crossing it."""
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
    left = [row for row in section if row.x1 <= gutter]
    return left, [row for row in section if row.x0 >= gutter]


def _are_columns(left: list[TextRow], right: list[TextRow]) -> bool:
    if not left or not right or max(len(left), len(right)) < _MIN_COLUMN_LINES:
        return False
    if _is_prose(left) and _is_prose(right):
        return True
    if (
        min(len(left), len(right)) < _MIN_COLUMN_LINES
        or min(_median_length(left), _median_length(right)) < _MIN_LOOSE_LINE_CHARS
    ):
        return False
    level = sum(any(abs(row.center_y - other.center_y) < row.height / 4 for other in left) for row in right)
    return level < _MAX_ALIGNED_SHARE * len(right)


def _is_prose(side: list[TextRow]) -> bool:
    if _median_length(side) < _MIN_PROSE_CHARS:
        return False
    widths = [row.x1 - row.x0 for row in side]
    return len(side) < _MIN_COLUMN_LINES or median(widths) >= _MIN_PROSE_FILL * quantiles(widths, n=10)[-1]


def _median_length(side: list[TextRow]) -> float:
    return median(_display_width(row.text) for row in side)


@lru_cache(maxsize=2 * _MAX_FRAGMENTS)
def _display_width(text: str) -> int:
    """Characters; full-width ones count twice."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


# Fragments to rows, rows to paragraphs


def _group_rows(fragments: list[TextRow]) -> list[TextRow]:
    rows: list[list[TextRow]] = []
    for part in sorted(fragments, key=lambda part: part.center_y):
        if rows and _in_same_row(rows[-1][0], part):
            rows[-1].append(part)
        else:
            rows.append([part])
    return [_join_cells(sorted(parts, key=lambda part: part.x0)) for parts in rows]


def _join_cells(cells: list[TextRow]) -> TextRow:
    """The cells with tabs between them; the mark of a list is no cell."""
    texts = [cell.text for cell in cells]
    if len(texts) > 1 and _LIST_MARKER.fullmatch(texts[0]):
        texts[:2] = [f"{texts[0]} {texts[1]}"]
    return _bounding_row("\t".join(texts), cells, median(cell.height for cell in cells))


def _in_same_row(a: TextRow, b: TextRow) -> bool:
    return min(a.y1, b.y1) - max(a.y0, b.y0) >= _MIN_ROW_OVERLAP * min(a.y1 - a.y0, b.y1 - b.y0)


def _group_paragraphs(rows: list[TextRow]) -> list[list[TextRow]]:
    pitches = [lower.center_y - upper.center_y for upper, lower in pairwise(rows)]
    usual = sorted(pitches)[len(pitches) // 4] if pitches else 0.0
    paragraphs: list[list[TextRow]] = []
    for i, row in enumerate(rows):
        after = rows[i + 1] if i + 1 < len(rows) else None
        if not paragraphs or _starts_paragraph(paragraphs[-1], row, after, usual):
            paragraphs.append([])
        paragraphs[-1].append(row)
    return paragraphs


def _starts_paragraph(paragraph: list[TextRow], row: TextRow, next_row: TextRow | None, usual_pitch: float) -> bool:
    """Whether `row` does not go on with the paragraph before it but begins one of its own."""
    before = paragraph[-1]
    height = max(before.height, row.height)
    pitch = row.center_y - before.center_y
    if pitch > min(_MAX_PITCH * height, max(_PARAGRAPH_PITCH_FACTOR * usual_pitch, _SINGLE_SPACING_PITCH * height)):
        return True
    if ("\t" in before.text) != ("\t" in row.text) or height > _HEIGHT_CHANGE_FACTOR * min(before.height, row.height):
        return True
    return "\t" not in row.text and (_LIST_MARKER.match(row.text) is not None or _is_indented(paragraph, row, next_row))


def _is_indented(paragraph: list[TextRow], row: TextRow, next_row: TextRow | None) -> bool:
    """Whether `row` stands to the right of the lines around it, or to the left of a paragraph that was set in."""
    step = _MIN_INDENT * max(paragraph[-1].height, row.height)
    if row.x0 - paragraph[-1].x0 > step:
        return next_row is not None and row.x0 - next_row.x0 > step and _LIST_MARKER.match(paragraph[0].text) is None
    is_set_in = len(paragraph) > 1 or _LIST_MARKER.match(paragraph[0].text) is not None
    return is_set_in and paragraph[-1].x0 - row.x0 > step
