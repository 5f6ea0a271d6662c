"""Rows of a column, and the paragraphs and tables that they form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from indexer.media.pdf.text_rows import TextRow, bounding_row, in_same_row
from indexer.text.hyphenation import join_at_hyphen
from indexer.text.list_markers import has_list_marker, has_option, is_list_marker
from indexer.text.sentences import joins_without_space

_HEIGHT_CHANGE_FACTOR = 1.2
"""Chosen: a line taller or lower than the one before by this factor begins a paragraph; superscripts stay below it."""
_PARAGRAPH_PITCH_FACTOR = 1.4
"""Chosen: a line farther below than this factor of the usual pitch (the lower quartile of a column) begins one,"""
_SINGLE_SPACING_PITCH = 1.3
"""Chosen: but only if the pitch is also more than this many heights; tight columns have irregular pitches."""
_MAX_PITCH = 2.8
"""Chosen: a line farther below than this many heights begins a paragraph, even in double-spaced text."""
_MAX_WRAP_PITCH = 1.45
"""Chosen: lines of one cell are closer than this many heights; rows of a table are mostly farther apart."""
_MAX_TABLE_PITCH = 3.5
"""Chosen: rows with cells below each other's are of one table up to this many heights; forms are set widely."""
_SAME_EDGE = 0.5
"""Chosen: edges of cells within this many heights are one; columns are farther apart."""
_MIN_ALIGNED_SHARE = 0.6
"""Chosen: share of a row's cells that have one above or below; a cell may span columns, or be empty."""
_MIN_INDENT = 0.8
"""Chosen: a line indented by this many heights, whose next line is not, begins a paragraph; less is ragged setting."""


def group_rows(fragments: list[TextRow]) -> list[TextRow]:
    """Return fragments of one group as rows from top to bottom, the cells of each from left to right."""
    rows: list[list[TextRow]] = []
    for part in sorted(fragments, key=lambda part: part.center_y):
        if rows and in_same_row(rows[-1][0], part):
            rows[-1].append(part)
        else:
            rows.append([part])
    return [_join_cells(sorted(parts, key=lambda part: part.x0)) for parts in rows]


def _join_cells(cells: list[TextRow]) -> TextRow:
    """Join the cells of a row with tabs; a bullet or number of a list is no cell."""
    texts, edges = [cell.text for cell in cells], [(cell.x0, cell.x1) for cell in cells]
    if len(texts) > 1 and is_list_marker(texts[0]):
        texts[:2], edges[:2] = [f"{texts[0]} {texts[1]}"], [(edges[0][0], edges[1][1])]
    written = cells[len(cells) - len(texts) :]
    row = bounding_row("\t".join(texts), cells, median(cell.height for cell in written))
    return replace(row, cells=tuple(edges) if len(edges) > 1 else ())


def join_wrapped_cells(rows: Sequence[TextRow]) -> list[TextRow]:
    """Return rows, each with the lines below it that go on in one of its cells other than the first."""
    joined: list[TextRow] = []
    bottom_height = 0.0
    for row in rows:
        column = _continued_cell(joined[-1], row, bottom_height) if joined else 0
        if column:
            joined[-1] = _append_to_cell(joined[-1], row, column)
        else:
            joined.append(row)
        bottom_height = row.height
    return joined


def _continued_cell(above: TextRow, row: TextRow, bottom_height: float) -> int:
    """Return the number of the cell that a row goes on with; 0 where it is a row of its own.

    The line begins where the cell does, is close below it, as high, and does not reach into the next cell.
    """
    height = max(row.height, bottom_height)
    if (
        not above.cells
        or row.cells
        or _is_numbered(above)
        or height > _HEIGHT_CHANGE_FACTOR * min(row.height, bottom_height)
    ):
        return 0
    if row.center_y - above.y1 > (_MAX_WRAP_PITCH - 0.5) * height or has_list_marker(row.text):
        return 0
    for column in range(1, len(above.cells)):
        is_last = column + 1 == len(above.cells)
        if abs(row.x0 - above.cells[column][0]) <= _SAME_EDGE * height:
            return column if is_last or row.x1 < above.cells[column + 1][0] else 0
    return 0


def _is_numbered(row: TextRow) -> bool:
    """Return True if a row is the number of a section, or of a note, and its text."""
    return len(row.cells) == 2 and not any(character.isalpha() for character in row.text.split("\t")[0])


def _append_to_cell(above: TextRow, row: TextRow, column: int) -> TextRow:
    """Return a row with the text of a line appended to one of its cells."""
    texts, edges = above.text.split("\t"), list(above.cells)
    left = texts[column]
    kept = join_at_hyphen(left, row.text, frozenset())
    separator = "" if kept is not None or joins_without_space(left, row.text) else " "
    texts[column] = (left if kept is None else kept) + separator + row.text
    edges[column] = (min(edges[column][0], row.x0), max(edges[column][1], row.x1))
    return replace(bounding_row("\t".join(texts), [above, row], above.height), cells=tuple(edges))


def _are_aligned(a: TextRow, b: TextRow) -> bool:
    """Return True if most cells of the row with fewer ones begin or end where cells of the other do."""
    fewer, more = sorted((a.cells, b.cells), key=len)
    tolerance = _SAME_EDGE * max(a.height, b.height)
    level = sum(any(min(abs(x0 - left), abs(x1 - right)) <= tolerance for left, right in more) for x0, x1 in fewer)
    return len(fewer) > 1 and level > 1 and level >= _MIN_ALIGNED_SHARE * len(fewer)


def group_paragraphs(rows: list[TextRow]) -> list[list[TextRow]]:
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
    if _are_aligned(before, row):
        return pitch > _MAX_TABLE_PITCH * height
    if pitch > min(_MAX_PITCH * height, max(_PARAGRAPH_PITCH_FACTOR * usual_pitch, _SINGLE_SPACING_PITCH * height)):
        return True
    if ("\t" in before.text) != ("\t" in row.text) or height > _HEIGHT_CHANGE_FACTOR * min(before.height, row.height):
        return True
    return "\t" not in row.text and (has_list_marker(row.text) or _is_indented(paragraph, row, next_row))


def _is_item(text: str) -> bool:
    """Return True if a line begins an item of a list, or the explanation of an option."""
    return has_list_marker(text) or has_option(text)


def _is_indented(paragraph: list[TextRow], row: TextRow, next_row: TextRow | None) -> bool:
    """Return True if `row` is indented against the lines around it, or ends an indented paragraph."""
    step = _MIN_INDENT * max(paragraph[-1].height, row.height)
    if row.x0 - paragraph[-1].x0 > step:
        return next_row is not None and row.x0 - next_row.x0 > step and not _is_item(paragraph[0].text)
    may_be_indented = len(paragraph) > 1 or _is_item(paragraph[0].text) or has_option(row.text)
    return may_be_indented and paragraph[-1].x0 - row.x0 > step
