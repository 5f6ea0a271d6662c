"""Long pictures in tiles: every line is read once, and its box is right in the whole picture."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.ocr.tiles import TileReader, plan_tiles
from indexer.types import Box, Pixels

LINE_PX = 20


class BarReader:
    """OCR engine for black bars on white: the text of a bar is its colour in the blue channel, a word for each."""

    model_id = "bars"

    def detect(self, picture: Pixels) -> NDArray[np.float32]:
        dark = picture[:, :, 0] < 128
        rows = np.flatnonzero(np.diff(np.concatenate([[0], dark.any(axis=1).astype(int), [0]])))
        quads = []
        for top, bottom in rows.reshape(-1, 2):
            columns = np.flatnonzero(dark[top:bottom].any(axis=0))
            left, right = columns[0], columns[-1] + 1
            quads.append([[left, top], [right, top], [right, bottom], [left, bottom]])
        return np.asarray(quads, np.float32).reshape(-1, 4, 2)

    def recognize(self, picture: Pixels, quads: NDArray[np.float32]) -> list[tuple[str, float]]:
        readings = []
        for quad in quads:
            (left, top), (right, bottom) = quad[0].astype(int), quad[2].astype(int)
            number = int(picture[(top + bottom) // 2, (left + right) // 2, 2])
            readings.append((f"line {number} " + "x" * ((right - left) // 10), 0.5 + 0.5 * (bottom - top) / LINE_PX))
        return readings


def draw_bars(width: int, height: int, tops: list[int]) -> Pixels:
    picture = np.full((height, width, 3), 255, np.uint8)
    for number, top in enumerate(tops):
        picture[top : top + LINE_PX, 20 : width - 20] = (0, 0, number)
    return picture


def cut(picture: Pixels, box: Box) -> Pixels:
    height, width, _ = picture.shape
    return picture[round(box.y0 * height) : round(box.y1 * height), round(box.x0 * width) : round(box.x1 * width)]


@pytest.mark.parametrize(
    ("size", "expected"),
    [((700, 1600), None), ((1600, 700), None), ((6000, 4000), None), ((1170, 2532), None), ((100, 250), None)],
)
def test_an_ordinary_picture_is_read_as_one(size: tuple[int, int], expected: None) -> None:
    assert plan_tiles(*size, 1600) is expected


@pytest.mark.parametrize(
    "size", [(700, 16000), (16000, 700), (20, 100_000), (2000, 8000), (9000, 1000), (500, 1601), (1, 200_000_000)]
)
def test_tiles_cover_the_whole_picture_and_overlap(size: tuple[int, int]) -> None:
    plan = plan_tiles(*size, 1600)
    assert plan is not None
    is_upright = size[1] > size[0]
    long = max(plan.size)
    spans = [(box.y0, box.y1) if is_upright else (box.x0, box.x1) for box in plan.boxes]
    assert spans[0][0] == 0 and spans[-1][1] == pytest.approx(1)
    assert all(end - start <= 1600 / long + 1e-9 for start, end in spans)
    assert all(spans[i][1] - spans[i + 1][0] >= 190 / long for i in range(len(spans) - 1))
    assert 2 <= len(spans) <= 65
    assert min(plan.size) <= 1600
    assert plan.size[0] <= size[0] and plan.size[1] <= size[1]


def test_a_long_picture_that_fits_is_not_reduced() -> None:
    plan = plan_tiles(700, 16000, 1600)
    assert plan is not None and plan.size == (700, 16000)


def test_every_line_is_read_once_with_its_box_in_the_whole_picture() -> None:
    tops = list(range(30, 7900, 53))
    picture = draw_bars(400, 8000, tops)
    plan = plan_tiles(400, 8000, 1600)
    assert plan is not None
    reader = TileReader(BarReader(), plan)
    for box in plan.boxes:
        reader.add(box, cut(picture, box))
    lines = reader.lines()
    assert [line.text.split()[1] for line in lines] == [str(number) for number in range(len(tops))]
    for line, top in zip(lines, tops, strict=True):
        assert line.box is not None
        assert line.box.y0 * 8000 == pytest.approx(top, abs=1)
        assert line.box.y1 * 8000 == pytest.approx(top + LINE_PX, abs=1)
        assert line.box.x0 * 400 == pytest.approx(20, abs=1)


def test_a_line_that_one_tile_cuts_is_taken_from_the_other() -> None:
    plan = plan_tiles(400, 8000, 1600)
    assert plan is not None
    first_end = round(plan.boxes[0].y1 * 8000)
    second_start = round(plan.boxes[1].y0 * 8000)
    picture = draw_bars(400, 8000, [second_start - 8, first_end - 6])
    reader = TileReader(BarReader(), plan)
    for box in plan.boxes[:2]:
        reader.add(box, cut(picture, box))
    tops = [round(line.box.y0 * 8000) for line in reader.lines() if line.box is not None]
    assert tops == [second_start - 8, first_end - 6]


def test_a_wide_picture_is_read_from_left_to_right() -> None:
    picture = np.full((300, 4000, 3), 255, np.uint8)
    plan = plan_tiles(4000, 300, 1600)
    assert plan is not None
    for number, left in enumerate((100, 1900, 3500)):
        picture[50 + 60 * number : 70 + 60 * number, left : left + 300] = (0, 0, number)
    reader = TileReader(BarReader(), plan)
    for box in plan.boxes:
        reader.add(box, cut(picture, box))
    found = {line.text.split()[1]: line.box for line in reader.lines()}
    for number, left in enumerate((100, 1900, 3500)):
        box = found[str(number)]
        assert box is not None and box.x0 * 4000 == pytest.approx(left, abs=1)
