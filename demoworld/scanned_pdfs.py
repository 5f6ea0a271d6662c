"""Scanned documents: PDFs whose pages are pictures, without a text layer."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from reportlab.lib.utils import ImageReader

from demoworld.camera import Pose, photograph
from demoworld.canvas import TextBox, TextCanvas
from demoworld.text_pdfs import A4_POINTS, DocumentSpec, PageSpec, create_pdf_canvas, encode_jpeg, list_page_facts
from demoworld.truth import Fact

_SCAN_SIZE_PX = (1240, 1754)  # A4 at 150 dots per inch
_PAPER_COLOUR, _INK_COLOUR, _STAMP_COLOUR = "#efe6cf", "#2c2a28", "#8a2c3c"


def write_scanned_pdf(document: DocumentSpec, root: Path) -> list[Fact]:
    """Write a PDF of scanned pages below `root`; returns the facts that can be read on them."""
    path = root / document.file
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas = create_pdf_canvas(path, document.title)
    facts: list[Fact] = []
    for number, page in enumerate(document.pages, start=1):
        picture, text_boxes = _scan_page(page, document.stamp if number == 1 else (), number)
        canvas.drawImage(ImageReader(encode_jpeg(picture)), 0, 0, *A4_POINTS)
        canvas.showPage()
        facts += list_page_facts(document, number, "scan", text_boxes, _SCAN_SIZE_PX)
    canvas.save()
    return facts


def _scan_page(page: PageSpec, stamp: tuple[str, ...], number: int) -> tuple[Image.Image, list[TextBox]]:
    canvas = TextCanvas((_SCAN_SIZE_PX[0] - 20, _SCAN_SIZE_PX[1] - 24), _PAPER_COLOUR)
    y = 150.0
    canvas.write_line(page.heading, (120, y), 36, _INK_COLOUR)
    canvas.draw.line((120, y + 62, canvas.width - 120, y + 62), fill=_INK_COLOUR, width=3)
    y += 130
    for paragraph in page.paragraphs:
        words = canvas.write_paragraph(paragraph, (120, y), canvas.width - 260, 32, _INK_COLOUR)
        y = words.bottom + 40
    _draw_stamp(canvas, stamp)
    _draw_creases_and_holes(canvas)
    glass = Image.new("RGB", _SCAN_SIZE_PX, "#d8d4cc")
    return photograph(canvas, Pose(0.5 if number % 2 else -0.4, 0.0), glass, 1978 + number)


def _draw_stamp(canvas: TextCanvas, stamp: tuple[str, ...]) -> None:
    if not stamp:
        return
    left, top = 760, canvas.height - 330
    canvas.draw.rounded_rectangle((left, top, left + 330, top + 150), radius=16, outline=_STAMP_COLOUR, width=6)
    for number, line in enumerate(stamp):
        canvas.write_line(line, (left + 165, top + 24 + number * 60), 40, _STAMP_COLOUR, anchor="ma")


def _draw_creases_and_holes(canvas: TextCanvas) -> None:
    """Draw two creases and two punched holes, clear of the text."""
    for y in (canvas.height // 3, canvas.height * 2 // 3):
        canvas.draw.line((0, y, 90, y), fill="#d6ccb2", width=5)
        canvas.draw.line((canvas.width - 90, y, canvas.width, y), fill="#d6ccb2", width=5)
    for y in (canvas.height // 2 - 140, canvas.height // 2 + 140):
        canvas.draw.ellipse((36, y - 20, 76, y + 20), fill="#4a4844")
