"""Checks of a text layer: whether it is the text of the picture, and which lines of it are to be doubted."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.media.pdf.glyphs import Glyphs, text_of_code
from indexer.text.letter_statistics import is_unlikely
from indexer.types import Box, Pixels, TextLine

_MIN_CHOSEN_SHARE = 0.5
"""Chosen: a line is of the kind that most of its characters are of."""
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
    """Chosen: with fewer characters, a page may be a picture with a stamp: ink outside the lines is checked."""
    max_ink_outside_lines: float = 0.005
    """Chosen: share of the page that is ink outside the lines of a sparse layer; more may be text that it lacks."""
    ink_contrast: int = 48
    """Chosen: ink differs by this much of 255 from the paper; less would count the noise of scans."""


_RELIABILITY = ReliabilitySettings()


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
    return sum(bool(ink[place].any()) for place in places) >= settings.min_inked_line_share * len(places)


def shows_more_than(lines: tuple[TextLine, ...], rgb: Pixels, settings: ReliabilitySettings = _RELIABILITY) -> bool:
    """Return True if a page has much ink and few lines, as a picture with a page number has."""
    if sum(character.isalnum() for line in lines for character in line.text) >= settings.sparse_layer_chars:
        return False
    ink = _ink_mask(rgb, settings.ink_contrast)
    for line in lines:
        if line.box is not None:
            ink[_pixel_slices(line.box, ink)] = False
    return float(ink.mean()) > settings.max_ink_outside_lines


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


def find_hidden_lines(lines: tuple[TextLine, ...], glyphs: Glyphs) -> tuple[int, ...]:
    """Return the indices of lines that are not drawn, or lie under a scan: text that OCR has put there."""
    return _lines_of(lines, glyphs, glyphs.hidden)


def find_unlikely_lines(lines: tuple[TextLine, ...], glyphs: Glyphs) -> tuple[int, ...]:
    """Return the indices of lines in fonts whose letters are unlikely for text: their character map may be wrong."""
    texts = [text_of_code(code) for code in glyphs.codepoints]
    unlikely = [
        font
        for font in set(glyphs.fonts.tolist())
        if is_unlikely("".join(texts[i] for i in np.flatnonzero(_with_spaces(glyphs.fonts, font))))
    ]
    return _lines_of(lines, glyphs, np.isin(glyphs.fonts, unlikely))


def _with_spaces(fonts: NDArray[np.int64], font: int) -> NDArray[np.bool_]:
    """Return the characters of a font and those that PDFium has put between them, which have none."""
    belongs: NDArray[np.bool_] = (fonts == font) | (fonts == -1)
    return belongs


def _lines_of(lines: tuple[TextLine, ...], glyphs: Glyphs, chosen: NDArray[np.bool_]) -> tuple[int, ...]:
    """Return the indices of lines at least half of whose characters are chosen."""
    if not chosen.any():
        return ()
    centres = (glyphs.boxes[:, :2] + glyphs.boxes[:, 2:]) / 2
    found = []
    for i, line in enumerate(lines):
        if line.box is None:
            continue
        corner, opposite = (line.box.x0, line.box.y0), (line.box.x1, line.box.y1)
        inside = ((centres >= corner) & (centres <= opposite)).all(axis=1) & (glyphs.fonts >= 0)
        if inside.any() and chosen[inside].mean() >= _MIN_CHOSEN_SHARE:
            found.append(i)
    return tuple(found)
