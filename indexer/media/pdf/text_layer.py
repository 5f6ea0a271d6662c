"""The text layer of a page: characters with boxes made into lines, and whether to believe them. No vendor."""

from __future__ import annotations

import re
import sys
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.media.pdf.layout_analysis import Word, analyze_layout
from indexer.types import Box, Origin, Pixels, TextLine

_PDFIUM_HYPHEN = 0x02
"""What PDFium gives for a hyphen at the end of a line."""
_SOFT_HYPHEN = "\u00ad"
_SYMBOL_BULLET = 0xF0B7
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}

_MAX_GAP_IN_WORD = 0.7
"""A character farther than this many heights from the one before begins a word, space or not."""

_MAX_UNMAPPED_SHARE = 0.1
"""A layer is poor if more than this share of its characters stands for nothing (no Unicode, or a private one),"""
_MIN_ALPHANUMERIC_SHARE = 0.5
"""or if fewer than this share are letters or digits (leaders such as dots and underscores aside),"""
_MIN_INKED_LINE_SHARE = 0.5
"""or if fewer than this share of its lines stand on anything that can be seen,"""
_SPARSE_LAYER_CHARS = 100
_MAX_INK_OUTSIDE_LINES = 0.005
"""or if it has fewer than 100 characters while more than this share of the page is ink outside its lines."""
_INK_CONTRAST = 48
_LEADERS = re.compile(r"[._\-–—·…*=\s]")


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters of a page, in the order of the file.

    Code points; boxes `[n, 4]`, float64, as fractions of the page as it is displayed, y downwards; clockwise quarter
    turns `[n]` of the reading direction as it is displayed; how many characters stand for nothing.
    """

    codepoints: list[int]
    boxes: NDArray[np.float64]
    quarter_turns: NDArray[np.int64]
    unmapped_count: int


def read_lines(glyphs: Glyphs, width: float, height: float) -> tuple[TextLine, ...]:
    """Lines in reading order: those that read from left to right, then those that stand on their side or head."""
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
    """The words that read in one direction, in the frame it makes upright; what lies off the page left out."""
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
    height = max(word.height, glyph.height)
    gap = max(glyph.x0 - word.x1, word.x0 - glyph.x1)
    return abs(glyph.center_y - word.center_y) < height / 2 and gap <= _MAX_GAP_IN_WORD * height


def _extend_word(word: Word, glyph: Word) -> Word:
    left, top = min(word.x0, glyph.x0), min(word.y0, glyph.y0)
    return Word(word.text + glyph.text, left, top, max(word.x1, glyph.x1), max(word.y1, glyph.y1))


def _text_of_code(code: int) -> str:
    """What a code point adds to a line: a space for every kind of space, nothing for what has no shape or meaning."""
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
    """Whether a code point says nothing of what is drawn: none at all, a replacement, or one of private use."""
    if code in (0, 0xFFFD, 0xFFFE, 0xFFFF) or code > sys.maxunicode:
        return True
    return unicodedata.category(chr(code)) in ("Co", "Cs") and code != _SYMBOL_BULLET


# Whether to believe it


def is_trusted(lines: tuple[TextLine, ...], glyphs: Glyphs, rgb: Pixels) -> bool:
    """Whether the lines say what the picture shows, as far as numbers can tell; without lines: no."""
    text = _LEADERS.sub("", "".join(line.text for line in lines))
    wordy = sum(character.isalnum() for character in text)
    if (
        not wordy
        or glyphs.unmapped_count > _MAX_UNMAPPED_SHARE * (wordy + glyphs.unmapped_count)
        or wordy < _MIN_ALPHANUMERIC_SHARE * len(text)
    ):
        return False
    ink = _ink_mask(rgb)
    places = [_pixel_slices(line.box, ink) for line in lines if line.box is not None]
    if sum(bool(ink[place].any()) for place in places) < _MIN_INKED_LINE_SHARE * len(places):
        return False
    if wordy >= _SPARSE_LAYER_CHARS:
        return True
    for place in places:
        ink[place] = False
    return float(ink.mean()) <= _MAX_INK_OUTSIDE_LINES


def _ink_mask(rgb: Pixels) -> NDArray[np.bool_]:
    """Where a picture differs from its most frequent shade, at half its resolution."""
    grey = rgb[::2, ::2].mean(axis=2).astype(np.uint8)
    paper = int(np.bincount(grey.ravel(), minlength=256).argmax())
    dark: NDArray[np.bool_] = np.abs(grey.astype(np.int16) - paper) > _INK_CONTRAST
    return dark


def _pixel_slices(box: Box, picture: NDArray[np.bool_]) -> tuple[slice, slice]:
    height, width = picture.shape
    return slice(int(box.y0 * height), int(box.y1 * height) + 1), slice(int(box.x0 * width), int(box.x1 * width) + 1)


def rotate_boxes(
    x: NDArray[np.float64], y: NDArray[np.float64], quarter_turns: int, width: float, height: float
) -> NDArray[np.float64]:
    """Corner coordinates `[n, 2]` in a picture of `width` and `height`, after turning it clockwise: boxes `[n, 4]`."""
    match quarter_turns % 4:
        case 1:
            x, y = height - y, x
        case 2:
            x, y = width - x, height - y
        case 3:
            x, y = y, width - x
    return np.stack((x.min(axis=1), y.min(axis=1), x.max(axis=1), y.max(axis=1)), axis=1)
