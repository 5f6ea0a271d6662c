"""Reading order and paragraphs of OCR boxes whose heights vary as a detector's do."""

from __future__ import annotations

from indexer.ocr.reading_order import Rect, group_paragraphs

HEIGHTS = (20, 23, 18, 25, 21)


def column(x: int, y: int, width: int, count: int, pitch: int = 26) -> list[Rect]:
    """Lines of a paragraph, each a little higher or lower than the one before."""
    return [
        Rect(x, y + i * pitch, x + width - 5 * (i % 3), y + i * pitch + HEIGHTS[i % len(HEIGHTS)]) for i in range(count)
    ]


def test_no_boxes_are_no_paragraphs() -> None:
    assert group_paragraphs([]) == []


def test_columns_of_prose_are_read_one_after_the_other() -> None:
    rects = [rect for pair in zip(column(0, 0, 400, 6), column(480, 0, 400, 6), strict=True) for rect in pair]
    assert group_paragraphs(rects) == [list(range(0, 12, 2)), list(range(1, 12, 2))]


def test_three_short_columns_are_three_paragraphs() -> None:
    columns = [column(x, 0, 300, 4) for x in (0, 360, 720)]
    rects = [rect for row in zip(*columns, strict=True) for rect in row]
    assert group_paragraphs(rects) == [list(range(start, 12, 3)) for start in range(3)]


def test_the_rows_of_a_table_stay_together() -> None:
    rects = [Rect(x, 30 * row, x + 90, 30 * row + 20) for row in range(4) for x in (0, 200, 400)]
    assert group_paragraphs(rects) == [list(range(12))]
