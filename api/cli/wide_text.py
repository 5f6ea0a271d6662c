"""Wrapping of text whose characters are two cells wide, such as Korean: a correction of Rich."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text


def count_cells_at_line_ends() -> None:
    """Make Rich cut the spaces at the end of a full line by cells.

    Rich 15 counts characters there (`Text.rstrip_end`): a line of wide ones keeps its space, is one cell too long, and
    a column of a table then shows `…` in place of its last character.
    """
    Text.rstrip_end = _strip_excess_spaces  # type: ignore[method-assign,assignment]


def _strip_excess_spaces(text: Text, size: int) -> None:
    spaces = len(text.plain) - len(text.plain.rstrip())
    if (excess := min(spaces, cell_len(text.plain) - size)) > 0:
        text.right_crop(excess)
