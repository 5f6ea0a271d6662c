"""Annotations of a PDF page: which are drawn, and what the comments of readers say."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from indexer.media.pdf.glyph_reading import to_displayed_fractions
from indexer.types import Box, Origin, TextLine

_MAX_ANNOTATIONS = 500
"""Chosen: annotations read of a page; far above any reviewed page, and bounds the time of a hostile one."""
_MAX_NOTE_CHARS = 10_000
"""Chosen: characters read of one comment; far above any comment that people write."""
_NOTE_BLOCK = 1_000_000  # Form: number of the first comment's block, above those of lines
_BOX_MARGIN = 1e-3  # Form: smallest side of a comment's box, as a fraction of the page
_COMMENTED = {
    pdfium.FPDF_ANNOT_TEXT,
    pdfium.FPDF_ANNOT_FREETEXT,
    pdfium.FPDF_ANNOT_LINE,
    pdfium.FPDF_ANNOT_SQUARE,
    pdfium.FPDF_ANNOT_CIRCLE,
    pdfium.FPDF_ANNOT_POLYGON,
    pdfium.FPDF_ANNOT_POLYLINE,
    pdfium.FPDF_ANNOT_HIGHLIGHT,
    pdfium.FPDF_ANNOT_UNDERLINE,
    pdfium.FPDF_ANNOT_SQUIGGLY,
    pdfium.FPDF_ANNOT_STRIKEOUT,
    pdfium.FPDF_ANNOT_STAMP,
    pdfium.FPDF_ANNOT_CARET,
    pdfium.FPDF_ANNOT_INK,
    pdfium.FPDF_ANNOT_FILEATTACHMENT,
    pdfium.FPDF_ANNOT_REDACT,
}
"""Source: ISO 32000-1, 12.5.6.2: markup annotations, whose Contents are what a person has written."""
_UNDRAWN = {pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP, pdfium.FPDF_ANNOT_TEXT}
"""Chosen: kinds that draw no text: links, the windows of comments, and their icons."""


def has_drawn_annotations(page: pypdfium2.PdfPage) -> bool:
    """Return True if an annotation is drawn that may have text, so that the page must be flattened to read it."""
    return any(
        pdfium.FPDFAnnot_GetSubtype(annotation) not in _UNDRAWN and pdfium.FPDFAnnot_HasKey(annotation, b"AP")
        for annotation in _annotations(page)
    )


def read_notes(page: pypdfium2.PdfPage) -> tuple[TextLine, ...]:
    """Return the comments of a page, such as sticky notes, a line for each of their lines, a block for each comment.

    Boxes are fractions of the displayed page. Comments that are hidden, or lie outside of it, are left out.
    """
    notes: list[TextLine] = []
    for number, annotation in enumerate(_annotations(page)):
        hidden = pdfium.FPDFAnnot_GetFlags(annotation) & pdfium.FPDF_ANNOT_FLAG_HIDDEN
        if hidden or pdfium.FPDFAnnot_GetSubtype(annotation) not in _COMMENTED:
            continue
        box = _displayed_box(page, annotation)
        texts = _contents(annotation).splitlines() if box is not None else []
        notes += [TextLine(t.strip(), Origin.PAGE, box=box, block=_NOTE_BLOCK + number) for t in texts if t.strip()]
    return tuple(notes)


def _annotations(page: pypdfium2.PdfPage) -> Iterator[pdfium.FPDF_ANNOTATION]:
    """Yield the annotations of a page, at most `_MAX_ANNOTATIONS`."""
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), _MAX_ANNOTATIONS)):
        with _opened(page, index) as annotation:
            if annotation:
                yield annotation


@contextmanager
def _opened(page: pypdfium2.PdfPage, index: int) -> Iterator[pdfium.FPDF_ANNOTATION]:
    """Open an annotation as a context manager; what is opened may be null."""
    annotation = pdfium.FPDFPage_GetAnnot(page, index)
    try:
        yield annotation
    finally:
        if annotation:
            pdfium.FPDFPage_CloseAnnot(annotation)


def _contents(annotation: pdfium.FPDF_ANNOTATION) -> str:
    """Return what an annotation says."""
    size = pdfium.FPDFAnnot_GetStringValue(annotation, b"Contents", None, 0)
    buffer = ctypes.create_string_buffer(size)
    pdfium.FPDFAnnot_GetStringValue(
        annotation, b"Contents", ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size
    )
    text = buffer.raw.decode("utf-16-le", "replace").rstrip("\0")[:_MAX_NOTE_CHARS]
    return "".join(c for c in text if c.isprintable() or c.isspace())


def _displayed_box(page: pypdfium2.PdfPage, annotation: pdfium.FPDF_ANNOTATION) -> Box | None:
    """Return the place of an annotation on the displayed page; None where it lies outside."""
    rect = pdfium.FS_RECTF()
    if not pdfium.FPDFAnnot_GetRect(annotation, rect):
        return None
    corners = np.array([[rect.left, min(rect.bottom, rect.top), rect.right, max(rect.bottom, rect.top)]], np.float64)
    x0, y0, x1, y1 = to_displayed_fractions(corners, page.get_bbox(), page.get_rotation() // 90)[0].tolist()
    if not (x0 < 1 and y0 < 1 and x1 > 0 and y1 > 0):
        return None
    x0, y0 = min(max(x0, 0.0), 1 - _BOX_MARGIN), min(max(y0, 0.0), 1 - _BOX_MARGIN)
    return Box(x0, y0, max(min(x1, 1.0), x0 + _BOX_MARGIN), max(min(y1, 1.0), y0 + _BOX_MARGIN))
