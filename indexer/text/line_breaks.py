"""Ends of lines inside a paragraph: where a line breaks because the next word did not fit, and where on purpose.

Prose breaks a line where the next word does not fit. A line that ends earlier was ended on purpose: an item of a
receipt, a line of an address, of a listing, of a poem. Boxes side by side with a wide gap are cells of a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from indexer.text.sentences import joins_without_space
from indexer.types import Box, TextLine

LINE, CELL, SPACE = "\n", " | ", " "
"""Form: what stands between two lines of a text: a line end that means something, the gap of a row, a mere space."""
_MIN_CELL_GAP = 2.5
"""Chosen: widths of a character between two boxes that are cells; a wide space between words is about one."""
_SPARE_CHARACTERS = 3.0
"""Chosen: widths of a character that must be left beside the next word, since boxes and widths are rough."""
_MAX_ROW_OFFSET = 0.7
"""Chosen: share of a line's height by which boxes of one row lie above one another; lines below are a whole one off."""
_MIN_WORD_CHARACTERS = 2
"""Chosen: in scripts without spaces a line may break after any character; two are the shortest word that would fit."""


def find_separators(lines: Sequence[TextLine]) -> list[str]:
    """Return for each line but the first what stands before it: LINE, CELL or SPACE.

    Lines without a box, and vertical ones, are separated by SPACE.
    """
    boxes = [_horizontal_box(line) for line in lines]
    rows = _group_rows(boxes)
    right = max((box.x1 for box in boxes if box is not None), default=0.0)
    separators = []
    for number in range(1, len(lines)):
        before, after = boxes[number - 1], boxes[number]
        if before is None or after is None:
            separators.append(SPACE)
        elif rows[number] == rows[number - 1]:
            separators.append(CELL if _is_cell_gap(lines[number - 1], before, lines[number], after) else SPACE)
        else:
            is_row = CELL in separators[-1:] or _begins_row(lines, boxes, rows, number)
            separators.append(LINE if is_row or _fits(lines[number], after, right - before.x1) else SPACE)
    return separators


def _horizontal_box(line: TextLine) -> Box | None:
    """Return the box of a line, None for a vertical one."""
    box = line.box
    is_vertical = box is not None and len(line.text) > _MIN_WORD_CHARACTERS and box.y1 - box.y0 > 2 * (box.x1 - box.x0)
    return None if is_vertical else box


def _group_rows(boxes: Sequence[Box | None]) -> list[int]:
    """Return the number of the row of each box: a box that is right of the one before, at its height, is in its row."""
    rows = [0]
    for before, after in pairwise(boxes):
        rows.append(rows[-1] + (before is None or after is None or not _in_same_row(before, after)))
    return rows


def _in_same_row(before: Box, after: Box) -> bool:
    offset = abs(before.y0 + before.y1 - after.y0 - after.y1) / 2
    height = max(before.y1 - before.y0, after.y1 - after.y0)
    return after.x0 >= (before.x0 + before.x1) / 2 and after.x1 > before.x1 and offset < _MAX_ROW_OFFSET * height


def _is_cell_gap(before: TextLine, left: Box, after: TextLine, right: Box) -> bool:
    return right.x0 - left.x1 > _MIN_CELL_GAP * min(_character_width(before, left), _character_width(after, right))


def _begins_row(lines: Sequence[TextLine], boxes: Sequence[Box | None], rows: Sequence[int], number: int) -> bool:
    """Return True if a line begins a row of several cells."""
    following = number + 1
    if following >= len(lines) or rows[following] != rows[number]:
        return False
    left, right = boxes[number], boxes[following]
    return left is not None and right is not None and _is_cell_gap(lines[number], left, lines[following], right)


def _fits(line: TextLine, box: Box, space: float) -> bool:
    """Return True if the first word of a line would fit into a space."""
    width = _character_width(line, box)
    first = line.text.split(maxsplit=1)[0]
    characters = _MIN_WORD_CHARACTERS if joins_without_space(first, first) else len(first)
    return space > (characters + _SPARE_CHARACTERS) * width


def _character_width(line: TextLine, box: Box) -> float:
    return (box.x1 - box.x0) / max(1, len(line.text))
