"""Drawing of the bed's own documents: a sheet or pages of a PDF file, as they are, scanned or photographed."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import pypdfium2 as pdfium
from PIL import Image

from benchmarks.real_documents.bed import BedError, Document, Medium
from benchmarks.real_documents.drawing import invoices_asian, invoices_western, receipts_asian, receipts_western
from benchmarks.real_documents.drawing.fonts import Family
from benchmarks.real_documents.drawing.photographing import PHOTO_SIDE_PX, make_photo
from benchmarks.real_documents.drawing.receipts_western import ROLL
from benchmarks.real_documents.drawing.scanning import choose_dpi, make_scan
from benchmarks.real_documents.drawing.sheet import A4, Sheet
from benchmarks.real_documents.packages import pick_pages, read_packaged

_POINTS_PER_INCH = 72
"""Source: PDF 32000-1, 8.3.2.3."""

_SHEETS: dict[str, tuple[float, float, Family, Callable[[Sheet], None]]] = {
    "grocer": (ROLL, 390.0, "mono", receipts_western.draw_grocer),
    "bakery": (ROLL, 360.0, "sans", receipts_western.draw_bakery),
    "parking": (300.0, 380.0, "sans", receipts_western.draw_parking),
    "restaurant": (ROLL, 400.0, "sans", receipts_western.draw_restaurant),
    "petrol_station": (280.0, 400.0, "mono", receipts_western.draw_petrol_station),
    "exchange": (420.0, 340.0, "serif", receipts_western.draw_exchange),
    "korean_cafe": (ROLL, 420.0, "korean", receipts_asian.draw_korean_cafe),
    "korean_pharmacy": (400.0, 460.0, "korean", receipts_asian.draw_korean_pharmacy),
    "convenience_store": (ROLL, 430.0, "japanese", receipts_asian.draw_convenience_store),
    "japanese_inn": (520.0, 280.0, "japanese", receipts_asian.draw_japanese_inn),
    "workshop": (*A4, "serif", invoices_western.draw_workshop),
    "studio": (*A4, "sans", invoices_western.draw_studio),
    "roofer": (*A4, "sans", invoices_western.draw_roofer),
    "publisher": (*A4, "sans", invoices_western.draw_publisher),
    "freight": (*A4, "sans", invoices_western.draw_freight),
    "electricity": (*A4, "sans", invoices_western.draw_electricity),
    "tax_invoice": (*A4, "korean", invoices_asian.draw_tax_invoice),
    "quote_bill": (*A4, "korean", invoices_asian.draw_quote_bill),
    "japanese_bill": (*A4, "japanese", invoices_asian.draw_japanese_bill),
    "japanese_delivery": (*A4, "japanese", invoices_asian.draw_japanese_delivery),
}


def draw_document(document: Document, cache: Path) -> bytes:
    """Return the file of a drawn document: what it shows, in its medium. Errors: BedError."""
    shown = draw_shown_pages(document, cache)
    match document.medium:
        case Medium.SCAN:
            return make_scan(_render(shown, choose_dpi(document.seed)), document.seed, document.stamp)
        case Medium.PHOTO:
            return make_photo(_render(shown, _choose_photo_dpi(shown))[0], document.seed)
        case _:
            return shown


def draw_shown_pages(document: Document, cache: Path) -> bytes:
    """Return what a drawn document shows, as a PDF file with its text. Errors: BedError."""
    if document.package:
        return pick_pages(read_packaged(document, cache), document.of_pages, document.id)
    if document.of not in _SHEETS:
        raise BedError(f"{document.id}: there is no sheet {document.of}; there are {', '.join(_SHEETS)}")
    width, height, family, draw = _SHEETS[document.of]
    sheet = Sheet(width, height, family, cache)
    draw(sheet)
    return sheet.finish()


def save_shown_pages(document: Document, cache: Path) -> Path:
    """Write what a drawn document shows into a file of its own for its text to be read; returns the path."""
    with tempfile.NamedTemporaryFile(suffix=".pdf", prefix=document.id, delete=False) as file:
        file.write(draw_shown_pages(document, cache))
    return Path(file.name)


def _choose_photo_dpi(content: bytes) -> float:
    """Return the resolution at which the longer side of the first page has `PHOTO_SIDE_PX`."""
    with pdfium.PdfDocument(io.BytesIO(content)) as pdf:
        width, height = pdf.get_page_size(0)
    return PHOTO_SIDE_PX * _POINTS_PER_INCH / float(max(width, height))


def _render(content: bytes, dpi: float) -> list[Image.Image]:
    with pdfium.PdfDocument(io.BytesIO(content)) as pdf:
        return [page.render(scale=dpi / _POINTS_PER_INCH).to_pil().convert("RGB") for page in pdf]
