"""Running heads, footers and page numbers: lines that repeat from page to page, at the same height."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from indexer.types import Box, DocumentPage, TextLine

_MARGIN = 0.13
"""Chosen: running lines stand in this share of a page's height at top or bottom; wide margins are an eighth."""
_SAME_HEIGHT = 0.008
"""Chosen: lines of two pages within this share of a page are at the same height; about a third of a line."""
_MIN_REPETITIONS = 2
"""Chosen: other pages nearby with the same line; two pages of a form may have the same title without a running head."""
_MAX_HEIGHT_FACTOR = 1.3
"""Chosen: larger lines than this factor of a page's usual one are titles, as those of slides that go on."""
_MIN_GAP = 0.6
"""Chosen: a running line is at least this many of its heights away from the page's text; the heads of a table that goes
on are closer to its rows."""
_MIN_COUNTING_SHARE = 0.8
"""Chosen: share of the pages nearby with the same line whose number counts on; a ticket's does by chance."""
_NUMBER = re.compile(r"\d+")
_COUNT = re.compile(
    r"^\W*\d{1,4}(?=\s|$)|(?<=[\s/])\d{1,4}\W*$|^\D*\d{1,4}(?=\s*(?:/|of|von|sur|de|из)\s*\d+\W*$)", re.I
)
"""A number that may be a page's: at the beginning or end of a line, or before the number of all pages."""
_PAGE_NUMBER = re.compile(r"\W*(?:\d{1,4}|[ivxlc]{1,7})\W*")
"""A page number by itself, with whatever surrounds it."""


@dataclass(frozen=True, slots=True)
class _MarginLine:
    """A line in the margin of a page: its text, that without numbers, numbers that may be the page's, and its place."""

    page: int
    at: int
    text: str
    pattern: str
    counts: frozenset[int]
    box: Box
    is_large: bool
    is_page_number: bool


def find_running_lines(page: DocumentPage, others: Sequence[DocumentPage]) -> set[int]:
    """Return the indices of a page's lines that other pages nearby have too.

    These are lines of the margin with the same text on at least two others, one of them before, so that an address or
    account at the foot of each page is found once; or with a number that counts the pages.
    """
    candidates = _margin_lines(page)
    if not candidates:
        return set()
    elsewhere = [line for other in others for line in _margin_lines(other)]
    counting = {line.at for line in candidates if _is_counting(line, elsewhere)}
    uncounted = [line for line in candidates if line.at not in counting]
    repeated = {line.at: line.box for line in uncounted if _is_repeated(line, elsewhere)}
    return counting | _apart_from_text(page.lines, repeated, counting)


def _apart_from_text(lines: Sequence[TextLine], repeated: dict[int, Box], counting: set[int]) -> set[int]:
    """Return the repeated lines that no line of text is close to, nor another repeated line that one is close to."""
    apart = dict(repeated)
    while True:
        text = [line.box for i, line in enumerate(lines) if i not in apart and i not in counting and line.box]
        close = [
            i for i, box in apart.items() if any(_gap(box, other) < _MIN_GAP * (box.y1 - box.y0) for other in text)
        ]
        if not close:
            return set(apart)
        for i in close:
            del apart[i]


def _gap(a: Box, b: Box) -> float:
    """Return the vertical distance of two boxes; that of lines beside each other is 1."""
    return 1.0 if min(a.y1, b.y1) - max(a.y0, b.y0) > 0 else max(a.y0 - b.y1, b.y0 - a.y1)


def _margin_lines(page: DocumentPage) -> list[_MarginLine]:
    """Return the lines in the margins of a page, or the outermost ones, that are no rows of a table."""
    boxes = [line.box for line in page.lines if line.box is not None]
    usual_height = median(box.y1 - box.y0 for box in boxes) if boxes else 0.0
    table_blocks = _table_blocks(page.lines)
    top, bottom = min((box.y1 for box in boxes), default=0.0), max((box.y0 for box in boxes), default=1.0)
    return [
        _describe(page.number, at, line, line.box, usual_height)
        for at, line in enumerate(page.lines)
        if line.box is not None
        and (line.box.y1 <= max(_MARGIN, top) or line.box.y0 >= min(1 - _MARGIN, bottom))
        and line.block not in table_blocks
    ]


def _table_blocks(lines: Sequence[TextLine]) -> set[int]:
    """Return the blocks with several rows of cells, whose column heads may repeat at the top of each page."""
    with_cells = [line.block for line in lines if "\t" in line.text]
    return {block for block in with_cells if with_cells.count(block) > 1}


def _describe(page: int, at: int, line: TextLine, box: Box, usual_height: float) -> _MarginLine:
    """Return what is compared of a line."""
    text = "".join(line.text.casefold().split())
    return _MarginLine(
        page,
        at,
        text,
        _NUMBER.sub("#", text),
        frozenset(int(n) for match in _COUNT.finditer(line.text) for n in _NUMBER.findall(match[0])[-1:]),
        box,
        box.y1 - box.y0 > _MAX_HEIGHT_FACTOR * usual_height,
        _PAGE_NUMBER.fullmatch(line.text.strip().casefold()) is not None,
    )


def _is_repeated(line: _MarginLine, elsewhere: Sequence[_MarginLine]) -> bool:
    """Return True if the text of a line stands at the same height on enough other pages, the first of them before.

    Its numbers must be the same too: those of tickets and invoices, one a page, are what is looked for.
    """
    same = {other.page for other in elsewhere if other.text == line.text and _is_level(line, other)}
    return len(same) >= _MIN_REPETITIONS and min(same) < line.page and not line.is_large


def _is_counting(line: _MarginLine, elsewhere: Sequence[_MarginLine]) -> bool:
    """Return True if the number of a line counts the pages; Roman numbers by themselves are taken to."""
    level = [other for other in elsewhere if _is_level(line, other)]
    if line.is_page_number and not line.counts:
        return any(other.is_page_number for other in level)
    counting = {o.page for o in level if any(n + o.page - line.page in o.counts for n in line.counts)}
    alike = {other.page for other in level if other.pattern == line.pattern}
    if alike and not line.is_page_number:
        return len(counting & alike) >= _MIN_COUNTING_SHARE * len(alike)
    return len(counting) >= (1 if line.is_page_number else _MIN_REPETITIONS)


def _is_level(line: _MarginLine, other: _MarginLine) -> bool:
    """Return True if two lines stand at the same height of their pages."""
    return abs(line.box.y0 + line.box.y1 - other.box.y0 - other.box.y1) <= 2 * _SAME_HEIGHT
