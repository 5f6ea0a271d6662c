"""Text layer of a page: characters with boxes to lines, and whether the layer is reliable."""

from __future__ import annotations

import re
import sys
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.media.pdf.layout_analysis import Word, analyze_layout
from indexer.types import Box, Origin, Pixels, TextLine

_PDFIUM_HYPHEN = 0x02  # Source: PDFium, its code for a hyphen at the end of a line
_SOFT_HYPHEN = "\u00ad"
_SYMBOL_BULLET = 0xF0B7  # Source: bullet of the Symbol font, in its private use area F000 to F0FF
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
"""Source: Unicode, block Alphabetic Presentation Forms."""

_MAX_GAP_IN_WORD = 0.7
"""Chosen: a character farther than this many heights from the one before begins a word, space or not; widely tracked
headings stay whole below it."""

_LEADERS = re.compile(r"[._\-–—·…*=\s]")


@dataclass(frozen=True, slots=True)
class ReliabilitySettings:
    """Thresholds for a reliable text layer; a layer that misses one is ignored, and the page is read by OCR."""

    max_unmapped_share: float = 0.1
    """Chosen: share of characters without a Unicode value; above it, words are lost to search, while OCR costs time."""
    min_alphanumeric_share: float = 0.5
    """Chosen: share of letters and digits, leaders aside; below it, the font's encoding is most likely wrong."""
    min_inked_line_share: float = 0.5
    """Chosen: share of lines with visible ink in their boxes; below it, the layer does not belong to the picture."""
    sparse_layer_chars: int = 100
    """Chosen: with fewer characters, a page may be a scan with a stamped header: ink outside the lines is checked."""
    max_ink_outside_lines: float = 0.005
    """Chosen: share of the page that is ink outside the lines of a sparse layer; more is text that the layer lacks."""
    ink_contrast: int = 48
    """Chosen: ink differs by this much of 255 from the paper; less would count the noise of scans."""


_RELIABILITY = ReliabilitySettings()


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Characters of a page, in the order of the file.

    Code points; boxes `[n, 4]`, float64, as fractions of the displayed page, y downwards; clockwise quarter turns `[n]`
    of the displayed reading direction; number of characters without a Unicode value.
    """

    codepoints: list[int]
    boxes: NDArray[np.float64]
    quarter_turns: NDArray[np.int64]
    unmapped_count: int


def read_lines(glyphs: Glyphs, width: float, height: float) -> tuple[TextLine, ...]:
    """Return the lines of a page in reading order: horizontal ones, then rotated ones."""
    lines: list[TextLine] = []
    points = glyphs.boxes * (width, height, width, height)
    for turn in sorted(set(glyphs.quarter_turns.tolist())):
        frame = rotate_boxes(points[:, [0, 2]], points[:, [1, 3]], -turn, width, height)
        size = (width, height) if turn % 2 == 0 else (height, width)
        block = lines[-1].block + 1 if lines else 0
        for row in analyze_layout(_build_words(glyphs, frame, turn)):
            corners = np.array([[row.x0, row.x1], [row.y0, row.y1]])
            box = rotate_boxes(corners[:1], corners[1:], turn, *size)[0] / (width, height, width, height)
            clipped = box.clip(0.0, 1.0).tolist()
            if clipped[0] < clipped[2] and clipped[1] < clipped[3]:
                lines.append(TextLine(row.text, Origin.PAGE, box=Box(*clipped), block=block + row.block))
    return tuple(lines)


def _build_words(glyphs: Glyphs, frame: NDArray[np.float64], turn: int) -> list[Word]:
    """Return the words of one reading direction, in a frame where they are upright, without off-page characters."""
    centres = (glyphs.boxes[:, :2] + glyphs.boxes[:, 2:]) / 2
    visible = ((centres >= 0) & (centres <= 1)).all(axis=1) & (glyphs.quarter_turns == turn)
    words: list[Word] = []
    word: Word | None = None
    for i, code in enumerate(glyphs.codepoints):
        text = _text_of_code(code)
        if not text:
            continue
        glyph = Word(text, *frame[i].tolist()) if visible[i] and text != " " else None
        if word is not None and glyph is not None and _continues_word(word, glyph):
            word = _extend_word(word, glyph)
            continue
        words += [word] if word is not None else []
        word = glyph
    return words if word is None else [*words, word]


def _continues_word(word: Word, glyph: Word) -> bool:
    """Return True if a character stands in the row of a word and close to it."""
    height = max(word.height, glyph.height)
    gap = max(glyph.x0 - word.x1, word.x0 - glyph.x1)
    return abs(glyph.center_y - word.center_y) < height / 2 and gap <= _MAX_GAP_IN_WORD * height


def _extend_word(word: Word, glyph: Word) -> Word:
    """Return a word with a character appended and the union of their boxes."""
    left, top = min(word.x0, glyph.x0), min(word.y0, glyph.y0)
    return Word(word.text + glyph.text, left, top, max(word.x1, glyph.x1), max(word.y1, glyph.y1))


def _text_of_code(code: int) -> str:
    """Return the text of a code point: a space for all whitespace, ligatures resolved, empty if it is invisible."""
    if code == _PDFIUM_HYPHEN:
        return "-"
    if code == _SYMBOL_BULLET:
        return "•"
    if is_unmapped(code):
        return ""
    character = chr(code)
    if character.isspace():
        return " "
    if unicodedata.category(character) in ("Cc", "Cf") and character != _SOFT_HYPHEN:
        return ""
    return _LIGATURES.get(code, character)


def is_unmapped(code: int) -> bool:
    """Return True if a code point has no meaning: zero, a replacement, a surrogate or one of private use."""
    if code in (0, 0xFFFD, 0xFFFE, 0xFFFF) or code > sys.maxunicode:
        return True
    return unicodedata.category(chr(code)) in ("Co", "Cs") and code != _SYMBOL_BULLET


# Reliability


def is_reliable(
    lines: tuple[TextLine, ...], glyphs: Glyphs, rgb: Pixels, settings: ReliabilitySettings = _RELIABILITY
) -> bool:
    """Return True if the lines plausibly are the text of the picture; False without lines."""
    text = _LEADERS.sub("", "".join(line.text for line in lines))
    alphanumeric = sum(character.isalnum() for character in text)
    if (
        not alphanumeric
        or glyphs.unmapped_count > settings.max_unmapped_share * (alphanumeric + glyphs.unmapped_count)
        or alphanumeric < settings.min_alphanumeric_share * len(text)
    ):
        return False
    ink = _ink_mask(rgb, settings.ink_contrast)
    places = [_pixel_slices(line.box, ink) for line in lines if line.box is not None]
    if sum(bool(ink[place].any()) for place in places) < settings.min_inked_line_share * len(places):
        return False
    if alphanumeric >= settings.sparse_layer_chars:
        return True
    for place in places:
        ink[place] = False
    return float(ink.mean()) <= settings.max_ink_outside_lines


def _ink_mask(rgb: Pixels, contrast: int) -> NDArray[np.bool_]:
    """Return where a picture differs from its most frequent shade of grey, at half its resolution."""
    grey = rgb[::2, ::2].mean(axis=2).astype(np.uint8)
    paper = int(np.bincount(grey.ravel(), minlength=256).argmax())
    dark: NDArray[np.bool_] = np.abs(grey.astype(np.int16) - paper) > contrast
    return dark


def _pixel_slices(box: Box, picture: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rows and columns of a box in a mask."""
    height, width = picture.shape
    return slice(int(box.y0 * height), int(box.y1 * height) + 1), slice(int(box.x0 * width), int(box.x1 * width) + 1)


def rotate_boxes(
    x: NDArray[np.float64], y: NDArray[np.float64], quarter_turns: int, width: float, height: float
) -> NDArray[np.float64]:
    """Rotate corners `[n, 2]` clockwise with their picture of `width` and `height`; return boxes `[n, 4]`."""
    match quarter_turns % 4:
        case 1:
            x, y = height - y, x
        case 2:
            x, y = width - x, height - y
        case 3:
            x, y = y, width - x
    return np.stack((x.min(axis=1), y.min(axis=1), x.max(axis=1), y.max(axis=1)), axis=1)
