"""Reading order and paragraphs of OCR boxes whose heights vary as a detector's do."""

from __future__ import annotations

import numpy as np
import pytest

from indexer.ocr.reading_order import Rect, group_paragraphs, measure_slope, straighten

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


def _sloping_rows(skew: float) -> tuple[list[Rect], list[tuple[float, float]]]:
    """Rows of a name and an amount on a page that is askew, as boxes around their quadrilaterals."""
    rects, slopes = [], []
    for row in range(5):
        for x0, x1 in ((50, 450), (900, 1000)):
            top, bottom = (200 + 30 * row + skew * x for x in (x0, x1))
            rects.append(Rect(x0, int(min(top, bottom)), x1, int(max(top, bottom)) + 20))
            slopes.append((skew, 20.0))
    return rects, slopes


@pytest.mark.parametrize("skew", [0.04, -0.04, 0.0])
def test_rows_of_a_page_that_is_askew_stay_together(skew: float) -> None:
    rects, slopes = _sloping_rows(skew)
    assert group_paragraphs(straighten(rects, slopes)) == [list(range(10))]


def test_a_page_that_is_level_or_turned_stays_as_it_is() -> None:
    rects, _ = _sloping_rows(0.0)
    for slope in (0.001, 1.0):
        assert straighten(rects, [(slope, 20.0)] * len(rects)) == rects
    assert straighten([], []) == []


def test_slope_and_height_are_those_of_the_text() -> None:
    quad = np.array([[10, 10], [110, 20], [108, 40], [8, 30]], dtype=np.float32)
    slope, height = measure_slope(quad)
    assert slope == pytest.approx(0.1)
    assert height == pytest.approx(20.1, abs=0.05)
