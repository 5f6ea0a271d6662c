"""Text layer of a page: characters with boxes to lines."""

from __future__ import annotations

from dataclasses import replace
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from indexer.media.pdf.glyphs import Glyphs, text_of_code
from indexer.media.pdf.layout_analysis import analyze_layout
from indexer.media.pdf.text_rows import TextRow, Word
from indexer.types import Box, LineRole, Origin, TextLine

_MAX_GAP_IN_WORD = 0.7
"""Chosen: a character farther than this many heights from the one before begins a word, space or not; widely tracked
headings stay whole below it."""

_MIN_HANGUL_SPACE = 0.11
"""Measured: gaps between Korean words are .24 to .53 heights in real files, between syllables at most .03."""
_MIN_HANGUL_PAIRS = 20
"""Chosen: fewer syllables do not tell how widely a page is set."""
_FIRST_HANGUL, _LAST_HANGUL = 0xAC00, 0xD7A3
"""Source: Unicode, block Hangul Syllables."""
_NO_DRAWINGS = np.empty((0, 4))
_ROUNDING = 1e-6  # Form: points; coordinates are divided by the width of the page and multiplied again


def read_lines(
    glyphs: Glyphs, width: float, height: float, drawings: NDArray[np.float64] = _NO_DRAWINGS
) -> tuple[TextLine, ...]:
    """Return the lines of a page in reading order: horizontal ones, then rotated ones.

    `drawings` `[drawings, 4]` are the bounds of charts and diagrams as fractions of the page; their labels have a role.
    """
    lines: list[TextLine] = []
    points = glyphs.boxes * (width, height, width, height)
    for turn in sorted(set(glyphs.quarter_turns.tolist())):
        frame = rotate_boxes(points[:, [0, 2]], points[:, [1, 3]], -turn, width, height)
        size = (width, height) if turn % 2 == 0 else (height, width)
        block = lines[-1].block + 1 if lines else 0
        corners = drawings * (width, height, width, height)
        turned = rotate_boxes(corners[:, [0, 2]], corners[:, [1, 3]], -turn, width, height)
        for row in analyze_layout(_build_words(glyphs, frame, turn), turned):
            sides = np.array([[row.x0, row.x1], [row.y0, row.y1]])
            box = rotate_boxes(sides[:1], sides[1:], turn, *size)[0] / (width, height, width, height)
            clipped = box.clip(0.0, 1.0).tolist()
            if clipped[0] < clipped[2] and clipped[1] < clipped[3]:
                role = LineRole.LABEL if row.is_label else LineRole.BODY
                text = normalize("NFC", row.text)
                line = TextLine(text, Origin.PAGE, box=Box(*clipped), block=block + row.block, role=role)
                lines.append(replace(line, cells=_cell_boxes(row, line.box, width)) if turn == 0 else line)
    return tuple(lines)


def _cell_boxes(row: TextRow, box: Box | None, width: float) -> tuple[Box, ...]:
    """Return the boxes of the cells of an upright row; none where some lie outside of the page."""
    if box is None or any(not box.x0 * width <= x0 + _ROUNDING < x1 for x0, x1 in row.cells):
        return ()
    return tuple(Box(max(x0 / width, box.x0), box.y0, min(x1 / width, box.x1), box.y1) for x0, x1 in row.cells)


def _build_words(glyphs: Glyphs, frame: NDArray[np.float64], turn: int) -> list[Word]:
    """Return the words of one reading direction, in a frame where they are upright, without off-page characters."""
    centres = (glyphs.boxes[:, :2] + glyphs.boxes[:, 2:]) / 2
    visible = ((centres >= 0) & (centres <= 1)).all(axis=1) & (glyphs.quarter_turns == turn)
    words: list[Word] = []
    word: Word | None = None
    hangul_gap = _hangul_gap(glyphs, frame)
    for i, code in enumerate(glyphs.codepoints):
        text = text_of_code(code)
        if not text:
            continue
        glyph = Word(text, *frame[i].tolist()) if visible[i] and text != " " else None
        if word is not None and glyph is not None and _continues_word(word, glyph, hangul_gap):
            word = _extend_word(word, glyph)
            continue
        words += [word] if word is not None else []
        word = glyph
    return words if word is None else [*words, word]


def _hangul_gap(glyphs: Glyphs, frame: NDArray[np.float64]) -> float:
    """Return the gap above which Hangul syllables are of two words, in heights, above that of most syllables."""
    codes = np.array(glyphs.codepoints, np.int64)
    hangul = (codes >= _FIRST_HANGUL) & (codes <= _LAST_HANGUL)
    pairs = np.flatnonzero(hangul[:-1] & hangul[1:])
    if pairs.size < _MIN_HANGUL_PAIRS:
        return _MAX_GAP_IN_WORD
    heights = np.maximum(frame[pairs, 3] - frame[pairs, 1], _ROUNDING)
    gaps = (frame[pairs + 1, 0] - frame[pairs, 2]) / heights
    return min(_MAX_GAP_IN_WORD, float(np.median(gaps)) + _MIN_HANGUL_SPACE)


def _is_hangul(text: str) -> bool:
    """Return True if a character is a Hangul syllable."""
    return _FIRST_HANGUL <= ord(text) <= _LAST_HANGUL


def _continues_word(word: Word, glyph: Word, hangul_gap: float) -> bool:
    """Return True if a character stands in the row of a word and close to it."""
    height = max(word.height, glyph.height)
    gap = max(glyph.x0 - word.x1, word.x0 - glyph.x1)
    max_gap = hangul_gap if _is_hangul(word.text[-1]) and _is_hangul(glyph.text[0]) else _MAX_GAP_IN_WORD
    return abs(glyph.center_y - word.center_y) < height / 2 and gap <= max_gap * height


def _extend_word(word: Word, glyph: Word) -> Word:
    """Return a word with a character appended and the union of their boxes."""
    left, top = min(word.x0, glyph.x0), min(word.y0, glyph.y0)
    return Word(word.text + glyph.text, left, top, max(word.x1, glyph.x1), max(word.y1, glyph.y1))


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
