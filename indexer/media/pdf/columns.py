"""Columns of a page: gutters that divide fragments of lines which are read one after the other."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from statistics import median, quantiles

from indexer.media.pdf.text_rows import MIN_ROW_OVERLAP, TextRow, in_same_row
from indexer.text.list_markers import has_option

_GUTTER_GAP = 0.25
"""Chosen: a gutter is looked for this many heights left of where fragments begin."""
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

_MIN_BAND_GAP = 1.2
"""Chosen: white space of this many heights over the whole width may end a table."""
_MIN_AMOUNT_SHARE = 0.5
"""Chosen: share of digits among the characters of an amount, and of amounts among the cells of a side of a table."""
_MIN_LEVEL_SHARE = 0.75
"""Chosen: share of a table's rows that have cells on both sides of a gutter; some have an empty cell."""
_MAX_LABEL_SHARE = 0.8
"""Chosen: names of options have less than this share of the lines that explain them."""
_MIN_OPTION_SHARE = 0.5
"""Chosen: share of the lines of a side that begin with an option; a name may have a second line."""
_MIN_LABEL_LEVEL_SHARE = 0.85
"""Chosen: share of the options that are level with a line of text; lines of columns are by chance."""
_MAX_FRAGMENTS = 3000
"""Chosen: a page of more fragments is read row by row; the search for gutters would take too long."""


def split_columns(fragments: list[TextRow]) -> list[list[TextRow]]:
    """Return groups of fragments that are read one after the other: columns, recursively, from left to right.

    A gutter divides only the sections of a page where no text crosses it; what crosses it (a title, a wide table) is
    read in its place.
    """
    fragments = sorted(fragments, key=lambda row: row.center_y)
    rows = _number_rows(fragments)
    gutter = _find_best_gutter(fragments, rows) if len(fragments) <= _MAX_FRAGMENTS else None
    if gutter is None:
        return [fragments] if fragments else []
    groups: list[list[TextRow]] = []
    crossing: list[TextRow] = []
    for section in _split_sections(fragments, gutter, rows):
        left, right = _split_at_gutter(section, gutter)
        if _are_columns(left, right):
            groups += [*([crossing] if crossing else []), *split_columns(left), *split_columns(right)]
            crossing = []
        else:
            crossing = crossing + section
    return [*groups, crossing] if crossing else groups


def _find_best_gutter(fragments: list[TextRow], rows: list[int]) -> float | None:
    """Return the x that divides most fragments into columns; None where none does."""
    best, max_divided = None, 0
    for gutter in _candidate_gutters(fragments):
        sides = [_split_at_gutter(section, gutter) for section in _split_sections(fragments, gutter, rows)]
        divided = sum(len(left) + len(right) for left, right in sides if _are_columns(left, right))
        if divided > max_divided:
            best, max_divided = gutter, divided
    return best


def _candidate_gutters(fragments: list[TextRow]) -> list[float]:
    """Return candidate x positions: just left of where fragments begin."""
    gutters: list[float] = []
    for row in sorted(fragments, key=lambda row: row.x0):
        gutter = row.x0 - _GUTTER_GAP * row.height
        if not gutters or gutter - gutters[-1] > MIN_ROW_OVERLAP * row.height:
            gutters.append(gutter)
    return gutters[1:]


def _number_rows(fragments: list[TextRow]) -> list[int]:
    """Return the number of the row that each fragment, sorted from top to bottom, is part of."""
    numbers: list[int] = []
    first: TextRow | None = None
    for fragment in fragments:
        if first is None or not in_same_row(first, fragment):
            first = fragment
            numbers.append(numbers[-1] + 1 if numbers else 0)
        else:
            numbers.append(numbers[-1])
    return numbers


def _split_sections(fragments: list[TextRow], gutter: float, rows: list[int]) -> list[list[TextRow]]:
    """Cut fragments, sorted from top to bottom, where they change between crossing the gutter and not crossing it.

    Amounts in the row of a fragment that crosses stay with it. Rows of a table apart from the text are sections too.
    """
    crossing = {row for row, part in zip(rows, fragments, strict=True) if part.x0 < gutter < part.x1}
    sections: list[list[TextRow]] = []
    crossed: bool | None = None
    for row, part in zip(rows, fragments, strict=True):
        is_cell = row in crossing and _is_amount(part.text)
        crosses = part.x0 < gutter < part.x1 or is_cell
        if crosses != crossed:
            sections.append([])
        sections[-1].append(part)
        crossed = crosses
    return [part for section in sections for part in _cut_out_tables(section, gutter)]


def _cut_out_tables(section: list[TextRow], gutter: float) -> list[list[TextRow]]:
    """Return a section in parts: bands between white space of the whole width that are rows of tables, and the rest."""
    if not all(_split_at_gutter(section, gutter)):
        return [section]
    parts: list[list[TextRow]] = []
    was_table = False
    for band in _split_bands(section):
        is_table = _is_table_band(*_split_at_gutter(band, gutter))
        if parts and is_table == was_table:
            parts[-1] += band
        else:
            parts.append(list(band))
        was_table = is_table
    return parts


def _split_bands(section: list[TextRow]) -> list[list[TextRow]]:
    """Cut fragments, sorted from top to bottom, at white space of the whole width."""
    bands: list[list[TextRow]] = []
    bottom = 0.0
    for part in section:
        if bands and part.y0 - bottom < _MIN_BAND_GAP * part.height:
            bands[-1].append(part)
        else:
            bands.append([part])
        bottom = max(bottom, part.y1)
    return bands


def _is_table_band(left: list[TextRow], right: list[TextRow]) -> bool:
    """Return True if amounts stand in rows with cells on the other side of a gutter."""
    if not left or not right or not (_are_amounts(left) or _are_amounts(right)):
        return False
    level = min(_count_level(left, right), _count_level(right, left))
    fewer = min(len(_number_rows_of(left)), len(_number_rows_of(right)))
    return level > 1 and level >= _MIN_LEVEL_SHARE * fewer


def _are_amounts(side: list[TextRow]) -> bool:
    """Return True if most cells of a side are amounts."""
    return sum(_is_amount(part.text) for part in side) >= _MIN_AMOUNT_SHARE * len(side)


@lru_cache(maxsize=2 * _MAX_FRAGMENTS)
def _is_amount(text: str) -> bool:
    """Return True if a text is mostly digits."""
    characters = "".join(text.split())
    return sum(character.isdigit() for character in characters) >= _MIN_AMOUNT_SHARE * len(characters)


def _number_rows_of(side: list[TextRow]) -> set[int]:
    """Return the numbers of the rows of one side."""
    return set(_number_rows(side))


def _count_level(side: list[TextRow], other: list[TextRow]) -> int:
    """Return how many rows of one side are level with a fragment of the other."""
    numbers = _number_rows(side)
    return len(
        {
            row
            for row, part in zip(numbers, side, strict=True)
            if any(abs(part.center_y - opposite.center_y) < part.height / 4 for opposite in other)
        }
    )


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
    if _are_options(left, right):
        return False
    aligned = sum(any(abs(row.center_y - other.center_y) < row.height / 4 for other in left) for row in right)
    return aligned < _MAX_ALIGNED_SHARE * len(right)


def _are_options(side: list[TextRow], other: list[TextRow]) -> bool:
    """Return True if one side has options that the other explains: fewer rows, nearly all level with a line there."""
    if sum(has_option(part.text) for part in side) < _MIN_OPTION_SHARE * len(side):
        return False
    count = len(_number_rows_of(side))
    if count < _MIN_COLUMN_LINES or count > _MAX_LABEL_SHARE * len(other):
        return False
    return _count_level(side, other) >= _MIN_LABEL_LEVEL_SHARE * count


def _is_prose(side: list[TextRow]) -> bool:
    """Return True if the lines are long and fill their column."""
    if _median_length(side) < _MIN_PROSE_CHARS:
        return False
    widths = [row.x1 - row.x0 for row in side]
    return len(side) < _MIN_COLUMN_LINES or median(widths) >= _MIN_PROSE_FILL * quantiles(widths, n=10)[-1]


def _median_length(side: list[TextRow]) -> float:
    """Return the median display width of the lines."""
    return median(display_width(row.text) for row in side)


@lru_cache(maxsize=2 * _MAX_FRAGMENTS)
def display_width(text: str) -> int:
    """Return the number of characters; East Asian wide ones count twice (UAX #11)."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
