"""What every reader must do, whoever made it: a test class gives it a reader as a fixture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from indexer.ports import OcrEngine, SpeechRecognizer
from indexer.types import AudioSpan, Origin, Pixels

DrawnLines = tuple[Pixels, list[tuple[float, float, float, float]]]


def draw_lines(
    lines: Sequence[tuple[int, int, int, str]], size: tuple[int, int] = (640, 360), paper: str = "white"
) -> DrawnLines:
    """A picture of lines given as (x, y, font size, text), and the box of the ink of each, in pixels."""
    image = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(image)
    boxes = []
    for x, y, height, text in lines:
        font = ImageFont.load_default(height)
        draw.text((x, y), text, font=font, fill="black")
        boxes.append(draw.textbbox((x, y), text, font=font))
    return np.asarray(image), boxes


class OcrEngineContract:
    LINES = ((30, 30, 32, "The notice period"), (30, 120, 24, "is three months."), (380, 120, 24, "Page 7 of 12"))

    @pytest.fixture
    def reader(self) -> OcrEngine:
        raise NotImplementedError

    def test_lines_are_found_in_reading_order_and_read_with_their_spaces(self, reader: OcrEngine) -> None:
        picture, _ = draw_lines(self.LINES)
        quads = reader.detect(picture)
        assert quads.shape == (3, 4, 2)
        assert quads.dtype == np.float32
        readings = reader.recognize(picture, quads)
        assert [text for text, _ in readings] == [text for *_, text in self.LINES]
        assert all(0.9 < confidence <= 1 for _, confidence in readings)

    def test_a_quadrilateral_covers_the_ink_and_goes_clockwise_from_its_upper_left(self, reader: OcrEngine) -> None:
        picture, boxes = draw_lines(self.LINES)
        for quad, (x0, y0, x1, y1) in zip(reader.detect(picture), boxes, strict=True):
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

    def test_an_empty_picture_has_no_text(self, reader: OcrEngine) -> None:
        quads = reader.detect(np.full((120, 200, 3), 255, dtype=np.uint8))
        assert quads.shape == (0, 4, 2)
        assert reader.recognize(np.full((120, 200, 3), 255, dtype=np.uint8), quads) == []

    @pytest.mark.parametrize("size", [(1, 1), (3, 400), (400, 3), (33, 31)])
    def test_a_picture_of_any_size_can_be_searched(self, reader: OcrEngine, size: tuple[int, int]) -> None:
        assert reader.detect(np.zeros((*size, 3), dtype=np.uint8)).shape[1:] == (4, 2)


class SpeechRecognizerContract:
    @pytest.fixture
    def reader(self) -> SpeechRecognizer:
        raise NotImplementedError

    def test_lines_lie_inside_the_span_and_are_in_order(self, reader: SpeechRecognizer) -> None:
        seconds = np.arange(4 * 16_000) / 16_000
        wave = 0.3 * np.sin(2 * np.pi * (200 + 100 * np.sin(6 * seconds)) * seconds)
        lines = reader.transcribe(AudioSpan(3600.0, 16_000, wave.astype(np.float32)))
        assert all(line.origin is Origin.SPEECH and line.text for line in lines)
        assert all(3600.0 <= line.start_s < line.end_s <= 3604.0 for line in lines if line.start_s and line.end_s)
        assert [line.start_s for line in lines] == sorted(line.start_s or 0 for line in lines)

    def test_nothing_is_said_in_an_empty_span(self, reader: SpeechRecognizer) -> None:
        assert reader.transcribe(AudioSpan(0.0, 16_000, np.zeros(0, dtype=np.float32))) == []
