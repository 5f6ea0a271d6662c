"""Contract of OCR engines: a test class inherits it and gives it an engine as a fixture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from indexer.ports import OcrEngine
from indexer.types import Pixels

DrawnLines = tuple[Pixels, list[tuple[float, float, float, float]]]


def draw_lines(
    lines: Sequence[tuple[int, int, int, str]], size: tuple[int, int] = (640, 360), paper: str = "white"
) -> DrawnLines:
    """Draw lines given as (x, y, font size, text); gives the picture, and the box of each line's ink, in pixels."""
    image = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(image)
    boxes = []
    for x, y, height, text in lines:
        font = ImageFont.load_default(height)
        draw.text((x, y), text, font=font, fill="black")
        boxes.append(draw.textbbox((x, y), text, font=font))
    return np.asarray(image), boxes


class OcrEngineContract:
    """Tests of every OCR engine. A subclass has the fixture `engine`."""

    LINES = ((30, 30, 32, "The notice period"), (30, 120, 24, "is three months."), (380, 120, 24, "Page 7 of 12"))

    @pytest.fixture
    def engine(self) -> OcrEngine:
        raise NotImplementedError

    def test_lines_are_found_in_reading_order_and_read_with_their_spaces(self, engine: OcrEngine) -> None:
        picture, _ = draw_lines(self.LINES)
        quads = engine.detect(picture)
        assert quads.shape == (3, 4, 2)
        assert quads.dtype == np.float32
        readings = engine.recognize(picture, quads)
        assert [text for text, _ in readings] == [text for *_, text in self.LINES]
        assert all(0.9 < confidence <= 1 for _, confidence in readings)

    def test_a_quadrilateral_covers_the_ink_and_goes_clockwise_from_its_upper_left(self, engine: OcrEngine) -> None:
        picture, boxes = draw_lines(self.LINES)
        for quad, (x0, y0, x1, y1) in zip(engine.detect(picture), boxes, strict=True):
            left, top, right, bottom = *quad.min(axis=0), *quad.max(axis=0)
            shared = (min(right, x1) - max(left, x0)) * (min(bottom, y1) - max(top, y0))
            ink = (x1 - x0) * (y1 - y0)
            assert shared / ink > 0.9
            assert shared / ((right - left) * (bottom - top) + ink - shared) > 0.4
            upper_left, upper_right, lower_right, lower_left = quad
            assert upper_left[0] < upper_right[0]
            assert upper_right[1] < lower_right[1]
            assert lower_left[0] < lower_right[0]
            assert upper_left[1] < lower_left[1]

    def test_an_empty_picture_has_no_text(self, engine: OcrEngine) -> None:
        quads = engine.detect(np.full((120, 200, 3), 255, dtype=np.uint8))
        assert quads.shape == (0, 4, 2)
        assert engine.recognize(np.full((120, 200, 3), 255, dtype=np.uint8), quads) == []

    @pytest.mark.parametrize("size", [(1, 1), (3, 400), (400, 3), (33, 31)])
    def test_a_picture_of_any_size_can_be_searched(self, engine: OcrEngine, size: tuple[int, int]) -> None:
        assert engine.detect(np.zeros((*size, 3), dtype=np.uint8)).shape[1:] == (4, 2)
