"""Accents of a text layer: marks that are drawn over letters as characters of their own become one character with them.

TeX's OT1 fonts and some converters draw `ü` as `u` and `¨`, in either order, so the words are not found by search.
"""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from indexer.media.pdf.glyphs import Glyphs

_COMBINING_FORMS = {
    "`": "\u0300",
    "´": "\u0301",
    "ˊ": "\u0301",
    "ˋ": "\u0300",
    "^": "\u0302",
    "ˆ": "\u0302",
    "~": "\u0303",
    "˜": "\u0303",
    "¯": "\u0304",
    "ˉ": "\u0304",
    "˘": "\u0306",
    "˙": "\u0307",
    "¨": "\u0308",
    "˚": "\u030a",
    "°": "\u030a",
    "˝": "\u030b",
    "ˇ": "\u030c",
    "¸": "\u0327",
    "˛": "\u0328",
}
"""Source: Unicode, spacing clones of diacritics and the combining characters that they stand for."""
_DOTLESS = {"ı": "i", "ȷ": "j"}  # Source: TeX, letters that are drawn without their dot below an accent
_REACH = 4
"""Chosen: letters are looked for this many characters away; PDFium puts spaces and line ends around raised accents."""
_CENTRE_MARGIN = 0.15
"""Chosen: the centre of an accent may lie outside of its letter by this share of the letter's width (italics)."""
_MIN_SHARED_HEIGHT = 0.2
"""Chosen: share of the lower box that accent and letter have in common; accents of capital letters are raised."""
_MAX_WORD_GAP = 0.1
"""Chosen: letters closer than this many heights are one word, whatever space stands between them in the file."""


def compose_accents(glyphs: Glyphs) -> Glyphs:
    """Return the characters with each accent joined to the letter that it is drawn over, in composed form (NFC).

    An accent that stands by itself, or over nothing that it forms a letter with, is left as it is.
    """
    texts = [chr(code) if code <= 0x10FFFF else "" for code in glyphs.codepoints]
    accents = [i for i, text in enumerate(texts) if text in _COMBINING_FORMS or unicodedata.combining(text or " ")]
    if not accents:
        return glyphs
    codes, boxes = list(glyphs.codepoints), glyphs.boxes.copy()
    dropped: set[int] = set()
    for i in accents:
        letter = _find_letter(texts, boxes, glyphs.quarter_turns, i)
        if letter is None:
            continue
        texts[letter] = _compose(texts[letter], texts[i])
        codes[letter] = ord(texts[letter])
        dropped |= {i, *_spaces_inside_word(texts, boxes, letter, i)}
    kept = np.array([i for i in range(len(codes)) if i not in dropped], np.int64)
    return replace(
        glyphs,
        codepoints=[codes[i] for i in kept],
        boxes=boxes[kept],
        quarter_turns=glyphs.quarter_turns[kept],
        fonts=glyphs.fonts[kept],
        hidden=glyphs.hidden[kept],
    )


def _compose(letter: str, accent: str) -> str:
    """Return a letter with an accent as one character; the letter alone where Unicode has none."""
    text = unicodedata.normalize("NFC", _DOTLESS.get(letter, letter) + _COMBINING_FORMS.get(accent, accent))
    return text if len(text) == 1 else letter


def _find_letter(texts: list[str], boxes: NDArray[np.float64], turns: NDArray[np.int64], accent: int) -> int | None:
    """Return the character that an accent is drawn over and forms a letter with; None where there is none."""
    nearby = range(max(0, accent - _REACH), min(len(texts), accent + _REACH + 1))
    fitting = [
        i
        for i in nearby
        if texts[i].isalpha() and turns[i] == turns[accent] and _compose(texts[i], texts[accent]) != texts[i]
    ]
    upright = turns[accent] % 2 == 0
    covering = [i for i in fitting if _is_over(boxes[accent], boxes[i], upright)]
    axis = 0 if upright else 1
    centre = boxes[accent, axis] + boxes[accent, axis + 2]
    return min(covering, key=lambda i: abs(boxes[i, axis] + boxes[i, axis + 2] - centre), default=None)


def _is_over(accent: NDArray[np.float64], letter: NDArray[np.float64], upright: bool) -> bool:
    """Return True if the centre of an accent lies within a letter along the line, and they are of one line."""
    along, across = ((0, 2), (1, 3)) if upright else ((1, 3), (0, 2))
    start, end = letter[along[0]], letter[along[1]]
    margin = _CENTRE_MARGIN * (end - start)
    centre = (accent[along[0]] + accent[along[1]]) / 2
    shared = min(accent[across[1]], letter[across[1]]) - max(accent[across[0]], letter[across[0]])
    lower = min(accent[across[1]] - accent[across[0]], letter[across[1]] - letter[across[0]])
    return bool(start - margin <= centre <= end + margin and shared >= _MIN_SHARED_HEIGHT * lower)


def _spaces_inside_word(texts: list[str], boxes: NDArray[np.float64], letter: int, accent: int) -> set[int]:
    """Return the spaces that divide the word of an accent: between it and its letter, or narrower than a space."""
    between = {i for i in range(min(letter, accent) + 1, max(letter, accent)) if texts[i].isspace()}
    for step in (-1, 1):
        spaces, at = set(), min(letter, accent) - 1 if step < 0 else max(letter, accent) + 1
        while 0 <= at < len(texts) and texts[at].isspace():
            spaces.add(at)
            at += step
        if spaces and 0 <= at < len(texts) and _is_close(boxes[letter], boxes[at]):
            between |= spaces
    return between


def _is_close(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Return True if two characters of one line have no more than a hair's breadth between them."""
    gap = max(a[0] - b[2], b[0] - a[2])
    shared = min(a[3], b[3]) - max(a[1], b[1])
    return bool(gap < _MAX_WORD_GAP * (a[3] - a[1]) and shared > (a[3] - a[1]) / 2)
