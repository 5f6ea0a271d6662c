"""OCR of many scripts: lines that PP-OCR's models cannot read are read by Tesseract, in the language that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.ocr.line_pictures import is_vertical, rectify_line, side_lengths
from indexer.ocr.rapid_ocr import RapidOcrEngine
from indexer.ocr.tesseract import TesseractReader, is_in_script
from indexer.types import Pixels

_LINE_HEIGHT_PX, _MARGIN_PX = 48, 10
"""Chosen: the height that PP-OCR takes too, with some paper around it, by which Tesseract finds the line."""
_SURE = 0.95
"""Chosen: a line of PP-OCR's from this confidence on, and of a likely length, is kept without a second reading."""
_MIN_CHARACTERS_PER_HEIGHT = 0.7
"""Chosen: a line has as many letters as it is wide in heights (CJK) or twice that; with fewer, some were not read."""
_MIN_CONFIDENCE = 0.6
"""Chosen: Tesseract's confidence in the right language is mostly above 0.8, in a wrong one mostly below 0.6; Latin
capitals that are read as Greek ones pass it, and must give more letters (decision 0116)."""
_UNSURE, _MIN_GAIN = 0.75, 1.2
"""Chosen: a line that PP-OCR is unsure of is replaced; of another one Tesseract must give more letters: Greek and
Cyrillic capitals look like Latin ones."""
_TRIED_LINES = 3
"""Chosen: lines by which the language of a picture is found; one may be a logo."""


@dataclass(frozen=True, slots=True)
class _DoubtfulLine:
    """A line that PP-OCR is unsure of: its place among the lines, PP-OCR's reading, and its upright picture."""

    place: int
    reading: tuple[str, float]
    picture: Pixels


class MultiScriptOcrEngine:
    """OCR engine for Latin, Chinese and Japanese by PP-OCR, and for the scripts of `reader` by Tesseract.

    PP-OCR finds all lines, which takes no knowledge of a script, and reads them. A picture with lines that it is unsure
    of, or gives too few letters for, is tried in each of the reader's languages; the surest reads those lines again.
    """

    def __init__(self, engine: RapidOcrEngine, reader: TesseractReader) -> None:
        self._engine, self._reader = engine, reader

    def with_max_side(self, max_side_px: int) -> MultiScriptOcrEngine:
        """Return an engine that shares the weights and has another limit of detection."""
        return MultiScriptOcrEngine(self._engine.with_max_side(max_side_px), self._reader)

    @property
    def model_id(self) -> str:
        """Identifier of the models."""
        return f"{self._engine.model_id}+{self._reader.model_id}"

    def detect(self, picture: Pixels) -> NDArray[np.float32]:
        """Return text boxes `[n, 4, 2]` float32 in pixels, corners clockwise from the upper left, in reading order."""
        return self._engine.detect(picture)

    def recognize(self, picture: Pixels, quads: NDArray[np.float32]) -> list[tuple[str, float]]:
        """Return text and confidence in [0, 1] of each text box."""
        readings = self._engine.recognize(picture, quads)
        lines = [
            _DoubtfulLine(place, reading, rectify_line(picture, quad, _LINE_HEIGHT_PX, _MARGIN_PX))
            for place, (reading, quad) in enumerate(zip(readings, quads, strict=True))
            if _is_doubtful(reading, quad)
        ]
        language = self._find_language(lines)
        if language is not None:
            for line in lines:
                readings[line.place] = self._read_better(line, language) or line.reading
        return readings

    def _find_language(self, lines: Sequence[_DoubtfulLine]) -> str | None:
        """Return the language that reads the widest lines most surely; None where no language reads any."""
        widest = sorted(lines, key=lambda line: line.picture.shape[1], reverse=True)[:_TRIED_LINES]
        scores = {
            language: sum(better[1] for line in widest if (better := self._read_better(line, language)) is not None)
            for language in self._reader.languages
        }
        best = max(scores, key=scores.__getitem__)
        return best if scores[best] > 0 else None

    def _read_better(self, line: _DoubtfulLine, language: str) -> tuple[str, float] | None:
        """Return what Tesseract reads, if it is sure, in the script of the language, and more than there was."""
        text, confidence = self._reader.read(line.picture, language)
        text = text.strip("| ")
        old_text, old_confidence = line.reading
        is_more = old_confidence < _UNSURE or _count_letters(text) > _MIN_GAIN * _count_letters(old_text)
        return (
            (text, confidence) if confidence >= _MIN_CONFIDENCE and is_in_script(text, language) and is_more else None
        )


def _count_letters(text: str) -> int:
    return sum(character.isalnum() for character in text)


def _is_doubtful(reading: tuple[str, float], quad: NDArray[np.float32]) -> bool:
    """Return True if a horizontal line was read unsurely, or has too few letters for its width."""
    text, confidence = reading
    width, height = side_lengths(quad)
    is_short = len(text.replace(" ", "")) < _MIN_CHARACTERS_PER_HEIGHT * width / height
    return (confidence < _SURE or is_short) and not is_vertical(quad)
