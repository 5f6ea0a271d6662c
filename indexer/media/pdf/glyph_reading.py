"""Reading the characters of a page's text layer from PDFium: code points, boxes, fonts, and what is drawn of them."""

from __future__ import annotations

import ctypes
import re
from contextlib import closing
from ctypes import c_double
from math import degrees

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

from indexer.media.pdf.glyphs import Glyphs, is_unmapped
from indexer.media.pdf.text_layer import rotate_boxes

_MAX_CHARACTERS = 100_000
"""Chosen: characters read of a page; far above any readable page, and bounds the time of a hostile one."""
_MAX_OBJECTS = 2000
"""Chosen: objects of a page among which a picture of the whole page is looked for; a scan has few, a drawing many."""
_MIN_SCAN_SHARE = 0.8
"""Chosen: a picture that covers this share of a page is a scan of it; narrower margins are cropped by few scanners."""
_MAX_FONT_NAME = 128
"""Chosen: bytes read of a font's name; PostScript names have at most 63."""
_BOLD_NAME = re.compile(r"bold|heavy|black|demi|medi(?:um)?$|medi-|cmbx|cmssbx|sfbx|sfsx", re.IGNORECASE)
_FIXED_WIDTH_NAME = re.compile(r"mono|nimbusmon|courier|consol|typewriter|cmtt|sftt|code", re.IGNORECASE)
"""Chosen: commands are set in such fonts, and are no headings."""
_INVISIBLE_MODES = (pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP)


class _TextObjects:
    """The text objects of a page: which are hidden, and the number of the font of each."""

    def __init__(self, page: pypdfium2.PdfPage) -> None:
        self._covered = _objects_under_scan(page)
        self._fonts: dict[int, int] = {}
        self._known: dict[int, tuple[int, bool]] = {}
        self.bold_fonts: set[int] = set()

    def describe(self, layer: pypdfium2.PdfTextPage, index: int) -> tuple[int, bool]:
        """Return the font's number and whether a character is hidden; those of no object have font -1."""
        text_object = pdfium.FPDFText_GetTextObject(layer, index)
        if not text_object:
            return -1, False
        address = ctypes.addressof(text_object.contents)
        if address not in self._known:
            font = pdfium.FPDFTextObj_GetFont(text_object)
            font_address = ctypes.addressof(font.contents) if font else 0
            hidden = address in self._covered or pdfium.FPDFTextObj_GetTextRenderMode(text_object) in _INVISIBLE_MODES
            if font_address not in self._fonts:
                self._fonts[font_address] = len(self._fonts)
                self.bold_fonts |= {self._fonts[font_address]} if font and _is_bold(font) else set()
            self._known[address] = self._fonts[font_address], hidden
        return self._known[address]


def _is_bold(font: pdfium.FPDF_FONT) -> bool:
    """Return True for a bold font of proportional width, by its name; weights that PDFium gives are often wrong."""
    name = ctypes.create_string_buffer(_MAX_FONT_NAME)
    pdfium.FPDFFont_GetBaseFontName(font, name, _MAX_FONT_NAME)
    text = name.value.decode("utf-8", "replace")
    return _BOLD_NAME.search(text) is not None and _FIXED_WIDTH_NAME.search(text) is None


def _objects_under_scan(page: pypdfium2.PdfPage) -> set[int]:
    """Return the addresses of the text objects that are drawn before a picture of the whole page, and so hidden."""
    left, bottom, right, top = page.get_bbox()
    area = (right - left) * (top - bottom)
    before: set[int] = set()
    covered: set[int] = set()
    for index in range(min(pdfium.FPDFPage_CountObjects(page), _MAX_OBJECTS)):
        item = pdfium.FPDFPage_GetObject(page, index)
        kind = pdfium.FPDFPageObj_GetType(item)
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            before.add(ctypes.addressof(item.contents))
        elif kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            x0, y0, x1, y1 = (ctypes.c_float() for _ in range(4))
            pdfium.FPDFPageObj_GetBounds(item, x0, y0, x1, y1)
            if (x1.value - x0.value) * (y1.value - y0.value) >= _MIN_SCAN_SHARE * area:
                covered |= before
    return covered


def read_glyphs(page: pypdfium2.PdfPage) -> Glyphs:
    """Return the characters of a page's text layer with boxes as displayed."""
    with closing(page.get_textpage()) as layer:
        count = min(layer.count_chars(), _MAX_CHARACTERS)
        boxes = np.empty((count, 4), dtype=np.float64)
        turns = np.empty(count, dtype=np.int64)
        codes = [pdfium.FPDFText_GetUnicode(layer, i) for i in range(count)]
        fonts, hidden = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.bool_)
        objects, unmapped = _TextObjects(page), 0
        for i in range(count):
            boxes[i] = _character_box(layer, i)
            turns[i] = round(degrees(pdfium.FPDFText_GetCharAngle(layer, i)) / 90)
            fonts[i], hidden[i] = objects.describe(layer, i)
            unmapped += is_unmapped(codes[i]) or pdfium.FPDFText_HasUnicodeMapError(layer, i) == 1
    rotation = page.get_rotation() // 90
    places = to_displayed_fractions(boxes, page.get_bbox(), rotation)
    return Glyphs(codes, places, (turns + rotation) % 4, unmapped, fonts, hidden, frozenset(objects.bold_fonts))


def _character_box(layer: pypdfium2.PdfTextPage, index: int) -> tuple[float, float, float, float]:
    """Return left, bottom, right, top in points: the union of the font's box and the glyph's own."""
    loose = pdfium.FS_RECTF()
    left, right, bottom, top = c_double(), c_double(), c_double(), c_double()
    if not pdfium.FPDFText_GetCharBox(layer, index, left, right, bottom, top):
        return (0.0, 0.0, 0.0, 0.0)
    if not pdfium.FPDFText_GetLooseCharBox(layer, index, loose):
        return (left.value, bottom.value, right.value, top.value)
    lower, upper = (min(left.value, loose.left), min(bottom.value, loose.bottom)), (loose.right, loose.top)
    return (*lower, max(right.value, upper[0]), max(top.value, upper[1]))


def to_displayed_fractions(
    boxes: NDArray[np.float64], crop_box: tuple[float, float, float, float], rotation: int
) -> NDArray[np.float64]:
    """Convert boxes from page space (left, bottom, right, top) to fractions of the displayed page, y downwards.

    `rotation` is the page's clockwise rotation in quarter turns.
    """
    left, bottom, right, top = crop_box
    x = (boxes[:, [0, 2]] - left) / (right - left)
    y = (top - boxes[:, [1, 3]]) / (top - bottom)
    return rotate_boxes(x, y, rotation, 1.0, 1.0)
