"""Tables as text: a row a line, its cells in order, and the heads of the columns as context of every row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from indexer.text.passage import SpannedText, stack, to_spanned_text
from indexer.types import LineRole, TextLine

_ROWS_PER_PASSAGE = 4
"""Chosen: more rows in a passage dilute its embedding, fewer repeat the context more often."""
_MAX_HEAD_ROWS = 3
"""Chosen: more bold rows at the top of a table are rows of it."""
_MIN_VALUE_SHARE = 0.5
"""Chosen: words above a column with this share of cells with digits, or without letters, are heads."""
_CELL_SEPARATOR = " | "
_YEAR = re.compile(r"(?:19|20)\d\d(?:\s*[-–/]\s*\d{2,4})?")
_CAPTION = re.compile(
    r"(?:table|tabelle|tableau|tabla|cuadro|таблица|表|표|figure|fig\.|abbildung|abb\.|figura|рис\w*|рисунок|그림|図|图)"
    r"\s*[\dA-Z]+(?:[.\-:]\d+)*\b",
    re.IGNORECASE,
)
"""Source: beginnings of captions in the languages of the product."""


def is_caption(text: str) -> bool:
    """Return True if a text begins as the caption of a table or figure does."""
    return _CAPTION.match(text) is not None


def is_table(lines: Sequence[TextLine]) -> bool:
    """Return True if a block is a table: several of its lines have cells, which tabs separate."""
    return sum("\t" in line.text for line in lines) > 1


def split_table(rows: Sequence[TextLine], context: str, max_words: int) -> list[SpannedText]:
    """Return a table as texts of a few rows, a row a line; the heads of its columns are context of all of them.

    The first text has the heads too, with their boxes.
    """
    head_count = _count_head_rows(rows)
    texts = [to_spanned_text(row, _CELL_SEPARATOR) for row in rows]
    heads, texts = texts[:head_count], texts[head_count:]
    context = "\n".join(filter(None, [context, *(head.text for head in heads)]))
    parts: list[list[SpannedText]] = [[]]
    for text in texts:
        size = sum(row.count_words() for row in parts[-1]) + text.count_words()
        if parts[-1] and (len(parts[-1]) == _ROWS_PER_PASSAGE or size > max_words):
            parts.append([])
        parts[-1].append(text)
    return [replace(stack(part), context=context) for part in ([*heads, *parts[0]], *parts[1:])]


def column_heads(rows: Sequence[TextLine]) -> tuple[str, ...]:
    """Return the rows at the top of a table that have the heads of its columns; none where it has no heads."""
    return tuple(row.text for row in rows[: _count_head_rows(rows)])


def _count_head_rows(rows: Sequence[TextLine]) -> int:
    """Return how many rows at the top have the heads of the columns: set like heads, or words above values."""
    marked = 0
    while marked < len(rows) and rows[marked].role is LineRole.HEADING:
        marked += 1
    if marked:
        return marked if marked <= min(_MAX_HEAD_ROWS, len(rows) - 1) else 0
    first, others = _cells(rows[0]), [_cells(row) for row in rows[1:]]
    if not others or len(first) < 2 or first[0].endswith(":") or not all(map(_is_head, first)):
        return 0
    columns = [[row[i] for row in others if i < len(row)] for i in range(len(first))]
    return int(any(_has_values(column) for column in columns))


def _is_head(cell: str) -> bool:
    """Return True if a cell may be the head of a column: a year, or words without digits."""
    is_word = cell[0].isalpha() or cell[0] in "#%(№"
    return _YEAR.fullmatch(cell) is not None or (is_word and not any(character.isdigit() for character in cell))


def _has_values(column: Sequence[str]) -> bool:
    """Return True if many cells of a column have digits, or no letters."""
    values = sum(any(c.isdigit() for c in cell) or not any(c.isalpha() for c in cell) for cell in column)
    return bool(column) and values >= _MIN_VALUE_SHARE * len(column)


def _cells(row: TextLine) -> list[str]:
    """Return the texts of a row's cells."""
    return [cell for cell in (" ".join(cell.split()) for cell in row.text.split("\t")) if cell]
