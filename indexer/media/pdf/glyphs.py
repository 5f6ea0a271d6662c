"""Characters of a page's text layer, as PDFium gives them: code points, boxes, directions, fonts."""

from __future__ import annotations

import sys
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PDFIUM_HYPHEN = 0x02  # Source: PDFium, its code for a hyphen at the end of a line
_SOFT_HYPHEN = "\u00ad"
_SYMBOL_BULLET = 0xF0B7  # Source: bullet of the Symbol font, in its private use area F000 to F0FF
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
"""Source: Unicode, block Alphabetic Presentation Forms."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Characters of a page, in the order of the file.

    Code points; boxes `[n, 4]`, float64, as fractions of the displayed page, y downwards; clockwise quarter turns `[n]`
    of the displayed reading direction; number of characters without a Unicode value; numbers of their fonts `[n]`;
    which are not drawn, or lie under a picture of the page `[n]`; and which fonts are bold ones.
    """

    codepoints: list[int]
    boxes: NDArray[np.float64]
    quarter_turns: NDArray[np.int64]
    unmapped_count: int
    fonts: NDArray[np.int64]
    hidden: NDArray[np.bool_]
    bold_fonts: frozenset[int] = frozenset()


def text_of_code(code: int) -> str:
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
