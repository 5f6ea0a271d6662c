"""PDF reading page by page: rendered pictures and text layers with boxes, by pypdfium2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from ctypes import c_double
from dataclasses import replace
from math import degrees
from pathlib import Path

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

from indexer.errors import DamagedMedia, LimitExceeded, ProtectedMedia, SourceNotFound, UnsupportedMedia
from indexer.media.pdf.metadata import read_metadata
from indexer.media.pdf.text_layer import Glyphs, is_reliable, is_unmapped, read_lines, rotate_boxes
from indexer.types import AssetKind, DocumentPage, MediaInfo, Pixels

_SIGNATURE = b"%PDF-"
_SIGNATURE_SEARCH_BYTES = 1024
"""Source: PDF Reference 1.7, implementation note 13: the header lies within the first 1024 bytes."""
_PAGES_PER_OPENING = 64
"""Chosen: PDFium caches what it has parsed while a document is open; reopening bounds memory, but costs time."""
_MAX_CHARACTERS = 100_000
"""Chosen: characters read of a page; far above any readable page, and bounds the time of a hostile one."""
_A4_RATIO = 0.7071  # Source: ISO 216, width over height


def probe_document(path: Path, max_pages: int) -> MediaInfo:
    """Return the metadata of a PDF; width and height are those of page 1 as displayed, in points.

    Errors: ProtectedMedia where a password is needed, DamagedMedia where it is corrupt, UnsupportedMedia where it is no
    PDF, LimitExceeded above `max_pages`, SourceNotFound.
    """
    with _open_document(path) as document:
        pages = len(document)
        if pages > max_pages:
            raise LimitExceeded(str(path), f"{pages} pages, over the limit of {max_pages} pages")
        date, lines = read_metadata(path, document.get_metadata_value)
        stated = MediaInfo(
            AssetKind.DOCUMENT,
            "pdf",
            pages=pages,
            taken_at=None if date is None else date.time,
            date_source="" if date is None else date.source,
            metadata=lines,
        )
        try:
            width, height = (round(side) for side in document.get_page_size(0))
        except pypdfium2.PdfiumError:
            return stated
        return replace(stated, width=width, height=height)


def read_pages(path: Path, first_page: int, max_px: int) -> Iterator[DocumentPage]:
    """Yield the pages from number `first_page` (from 1) on, one at a time, in memory that does not grow with them.

    The picture's longer side is `max_px`, rotated and cropped as a viewer displays it; boxes are fractions of it. A
    broken page is white, or what could be rendered of it, without lines and not reliable; the others are not lost.
    Filled form fields are part of the page. Errors: those of `probe_document`, on opening.
    """
    following, last = first_page, first_page
    while following <= last:
        with _open_document(path) as document:
            document.init_forms()
            last = len(document)
            begin, following = following, following + _PAGES_PER_OPENING
            for number in range(begin, min(following, last + 1)):
                yield _read_page(document, number, max_px)


# Opening


def _open_document(path: Path) -> closing[pypdfium2.PdfDocument]:
    """Open a PDF as a context manager. Errors: those of `probe_document`."""
    try:
        return closing(pypdfium2.PdfDocument(path.absolute()))
    except FileNotFoundError as error:
        raise SourceNotFound(str(path), "no such file") from error
    except pypdfium2.PdfiumError as error:
        raise _open_error(path, error) from error


def _open_error(
    path: Path, error: pypdfium2.PdfiumError
) -> ProtectedMedia | SourceNotFound | DamagedMedia | UnsupportedMedia:
    """Return the error for a file that PDFium cannot open."""
    if error.err_code == pdfium.FPDF_ERR_PASSWORD:
        return ProtectedMedia(str(path), "needs a password")
    if error.err_code == pdfium.FPDF_ERR_SECURITY:
        return ProtectedMedia(str(path), "is encrypted in a way that cannot be read")
    try:
        with path.open("rb") as file:
            head = file.read(_SIGNATURE_SEARCH_BYTES)
    except OSError as failure:
        return SourceNotFound(str(path), (failure.strerror or "cannot be read").lower())
    if head and _SIGNATURE not in head:
        return UnsupportedMedia(str(path), "is not a PDF document")
    return DamagedMedia(str(path), "is damaged beyond reading" if head else "is empty")


# One page


def _read_page(document: pypdfium2.PdfDocument, number: int, max_px: int) -> DocumentPage:
    """Return a page; what is broken of it is replaced by a white picture or no lines."""
    try:
        page = _load_page(document, number - 1)
    except pypdfium2.PdfiumError:
        return DocumentPage(number, _blank_page(document, number - 1, max_px), (), False)
    with closing(page):
        try:
            rgb = _render_page(page, max_px)
        except (pypdfium2.PdfiumError, ValueError):
            rgb = _blank_page(document, number - 1, max_px)
        try:
            glyphs = _read_glyphs(page)
        except (pypdfium2.PdfiumError, ValueError):
            return DocumentPage(number, rgb, (), False)
        lines = read_lines(glyphs, page.get_width(), page.get_height())
        return DocumentPage(number, rgb, lines, is_reliable(lines, glyphs, rgb))


def _load_page(document: pypdfium2.PdfDocument, index: int) -> pypdfium2.PdfPage:
    """Load a page with filled form fields flattened into it."""
    page = document.get_page(index)
    if page.formenv is None:
        return page
    with closing(page):
        page.flatten()
    return document.get_page(index)


def _render_page(page: pypdfium2.PdfPage, max_px: int) -> Pixels:
    """Render a page as RGB, the longer side `max_px`."""
    scale = (max_px - 1e-3) / max(page.get_width(), page.get_height())  # so that rounding up gives max_px
    with closing(page.render(scale=scale, rev_byteorder=True, may_draw_forms=False, limit_image_cache=True)) as bitmap:
        return np.ascontiguousarray(bitmap.to_numpy())


def _blank_page(document: pypdfium2.PdfDocument, index: int, max_px: int) -> Pixels:
    """Return a white picture in the shape of a page."""
    try:
        width, height = document.get_page_size(index)
    except pypdfium2.PdfiumError:
        width, height = _A4_RATIO, 1.0
    share = max_px / max(width, height)
    return np.full((max(1, round(height * share)), max(1, round(width * share)), 3), 255, dtype=np.uint8)


# The text layer


def _read_glyphs(page: pypdfium2.PdfPage) -> Glyphs:
    """Return the characters of a page's text layer with boxes as displayed."""
    with closing(page.get_textpage()) as layer:
        count = min(layer.count_chars(), _MAX_CHARACTERS)
        boxes = np.empty((count, 4), dtype=np.float64)
        turns = np.empty(count, dtype=np.int64)
        codes = [pdfium.FPDFText_GetUnicode(layer, i) for i in range(count)]
        unmapped = 0
        for i in range(count):
            boxes[i] = _character_box(layer, i)
            turns[i] = round(degrees(pdfium.FPDFText_GetCharAngle(layer, i)) / 90)
            unmapped += is_unmapped(codes[i]) or pdfium.FPDFText_HasUnicodeMapError(layer, i) == 1
    rotation = page.get_rotation() // 90
    return Glyphs(codes, _to_displayed_fractions(boxes, page.get_bbox(), rotation), (turns + rotation) % 4, unmapped)


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


def _to_displayed_fractions(
    boxes: NDArray[np.float64], crop_box: tuple[float, float, float, float], rotation: int
) -> NDArray[np.float64]:
    """Convert boxes from page space (left, bottom, right, top) to fractions of the displayed page, y downwards.

    `rotation` is the page's clockwise rotation in quarter turns.
    """
    left, bottom, right, top = crop_box
    x = (boxes[:, [0, 2]] - left) / (right - left)
    y = (top - boxes[:, [1, 3]]) / (top - bottom)
    return rotate_boxes(x, y, rotation, 1.0, 1.0)
