"""PDF reading page by page: rendered pictures and text layers with boxes, by pypdfium2."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from indexer.errors import DamagedMedia, LimitExceeded, ProtectedMedia, SourceNotFound, UnsupportedMedia
from indexer.media.pdf.accents import compose_accents
from indexer.media.pdf.annotations import has_drawn_annotations, read_notes
from indexer.media.pdf.drawings import find_drawings
from indexer.media.pdf.glyph_reading import read_glyphs, to_displayed_fractions
from indexer.media.pdf.glyphs import Glyphs
from indexer.media.pdf.headings import find_title, is_title, mark_headings
from indexer.media.pdf.layer_checks import find_hidden_lines, find_unlikely_lines, is_reliable, shows_more_than
from indexer.media.pdf.metadata import read_metadata
from indexer.media.pdf.page_structure import PAGE_REACH, add_structure
from indexer.media.pdf.text_layer import read_lines
from indexer.media.pdf.unread_ink import find_unread_regions
from indexer.types import AssetKind, Box, DocumentPage, MediaInfo, Pixels, TextLine

_SIGNATURE = b"%PDF-"
_SIGNATURE_SEARCH_BYTES = 1024
"""Source: PDF Reference 1.7, implementation note 13: the header lies within the first 1024 bytes."""
_PAGES_PER_OPENING = 64
"""Chosen: PDFium caches what it has parsed while a document is open; reopening bounds memory, but costs time."""
_TITLE_PAGE_PX = 64
"""Form: size of the first page's picture where only its title is read."""
_A4_RATIO = 0.7071  # Source: ISO 216, width over height


def probe_document(path: Path, max_pages: int) -> MediaInfo:
    """Return the metadata of a PDF; width and height are those of page 1 as displayed, in points.

    Errors: ProtectedMedia where a password is needed, DamagedMedia where it is corrupt, UnsupportedMedia where it is no
    PDF or has no pages, LimitExceeded above `max_pages`, SourceNotFound.
    """
    with _open_document(path) as document:
        pages = len(document)
        if pages > max_pages:
            raise LimitExceeded(str(path), f"{_format_pages(pages)}, over the limit of {_format_pages(max_pages)}")
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
    Filled form fields are part of the page. Its lines have their roles, for which a few pages are read ahead. Errors:
    those of `probe_document`, on opening.
    """
    pages = _read_single_pages(path, max(1, first_page - PAGE_REACH), max_px)
    yield from add_structure(pages, first_page, _read_title(path))


def _read_title(path: Path) -> str:
    """Return the title of a document: by its metadata, else the largest heading of page 1, else nothing."""
    with _open_document(path) as document:
        if is_title(stated := document.get_metadata_value("Title").strip()):
            return str(stated)
        document.init_forms()
        return find_title(_read_page(document, 1, _TITLE_PAGE_PX).lines)


def _read_single_pages(path: Path, first_page: int, max_px: int) -> Iterator[DocumentPage]:
    """Yield the pages from number `first_page` on, each by itself."""
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
    """Return the error for a file that PDFium cannot open, or that has no pages."""
    if _is_without_pages(path):
        return UnsupportedMedia(str(path), "has no pages")
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


def _is_without_pages(path: Path) -> bool:
    """Return True if a document opens and has no pages; pypdfium2 then reports the error of the file before."""
    document = pdfium.FPDF_LoadDocument(os.fsencode(path.absolute()), None)
    if not document:
        return False
    pages = pdfium.FPDF_GetPageCount(document)
    pdfium.FPDF_CloseDocument(document)
    return bool(pages == 0)


def _format_pages(count: int) -> str:
    """Return a number of pages in words: `1 page`, `2 pages`."""
    return f"{count} page" if count == 1 else f"{count} pages"


# One page


def _read_page(document: pypdfium2.PdfDocument, number: int, max_px: int) -> DocumentPage:
    """Return a page; what is broken of it is replaced by a white picture or no lines."""
    try:
        page, notes = _load_page(document, number - 1)
    except pypdfium2.PdfiumError:
        return DocumentPage(number, _blank_page(document, number - 1, max_px), (), False)
    with closing(page):
        try:
            rgb = _render_page(page, max_px)
        except (pypdfium2.PdfiumError, ValueError):
            rgb = _blank_page(document, number - 1, max_px)
        try:
            glyphs = compose_accents(read_glyphs(page))
            drawings = to_displayed_fractions(find_drawings(page), page.get_bbox(), page.get_rotation() // 90)
        except (pypdfium2.PdfiumError, ValueError):
            return DocumentPage(number, rgb, (), False, notes=notes)
        lines = mark_headings(read_lines(glyphs, page.get_width(), page.get_height(), drawings), glyphs)
        return _check_page(DocumentPage(number, rgb, lines, True, notes=notes), glyphs)


def _check_page(page: DocumentPage, glyphs: Glyphs) -> DocumentPage:
    """Return a page with what its picture shows beside its lines, and which of them are to be doubted."""
    if not is_reliable(page.lines, glyphs, page.rgb):
        return replace(page, text_layer_reliable=False, notes=_new_notes(page))
    regions = find_unread_regions(page.rgb, [line.box for line in page.lines if line.box is not None])
    if not regions and shows_more_than(page.lines, page.rgb):
        regions = (Box(0.0, 0.0, 1.0, 1.0),)
    return replace(
        page,
        unread_regions=regions,
        hidden_lines=find_hidden_lines(page.lines, glyphs),
        unlikely_lines=find_unlikely_lines(page.lines, glyphs),
        notes=_new_notes(page),
    )


def _new_notes(page: DocumentPage) -> tuple[TextLine, ...]:
    """Return the notes whose text is not part of the page's lines, as that of a drawn note is."""
    drawn = "".join("".join(line.text.split()) for line in page.lines).casefold()
    return tuple(note for note in page.notes if "".join(note.text.split()).casefold() not in drawn)


def _load_page(document: pypdfium2.PdfDocument, index: int) -> tuple[pypdfium2.PdfPage, tuple[TextLine, ...]]:
    """Load a page with filled form fields and drawn annotations flattened into it; return it with its notes."""
    page = document.get_page(index)
    notes = read_notes(page)
    if page.formenv is None and not has_drawn_annotations(page):
        return page, notes
    with closing(page):
        pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
    return document.get_page(index), notes


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
