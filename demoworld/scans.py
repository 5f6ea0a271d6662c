"""Old letters that exist only as pictures: pages of a PDF without a text layer."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from reportlab.lib.utils import ImageReader

from demoworld.camera import Pose, photograph
from demoworld.papers import A4_POINTS, Paper, PaperPage, jpeg, new_canvas, page_facts
from demoworld.sheet import Sheet, Written
from demoworld.truth import Fact

_SCAN = (1240, 1754)  # A4 at 150 dots per inch
_PAPER, _INK, _STAMP = "#efe6cf", "#2c2a28", "#8a2c3c"


def scan_paper(paper: Paper, root: Path) -> list[Fact]:
    """Write a PDF of scanned pages below `root` and say what can be read on them."""
    path = root / paper.file
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas = new_canvas(path, paper.title)
    facts: list[Fact] = []
    for number, page in enumerate(paper.pages, start=1):
        picture, written = _scan(page, paper.stamp if number == 1 else (), number)
        canvas.drawImage(ImageReader(jpeg(picture)), 0, 0, *A4_POINTS)
        canvas.showPage()
        facts += page_facts(paper, number, "scan", written, _SCAN)
    canvas.save()
    return facts


def _scan(page: PaperPage, stamp: tuple[str, ...], number: int) -> tuple[Image.Image, list[Written]]:
    sheet = Sheet((_SCAN[0] - 20, _SCAN[1] - 24), _PAPER)
    y = 150.0
    sheet.write(page.heading, (120, y), 36, _INK)
    sheet.draw.line((120, y + 62, sheet.width - 120, y + 62), fill=_INK, width=3)
    y += 130
    for paragraph in page.paragraphs:
        words = sheet.paragraph(paragraph, (120, y), sheet.width - 260, 32, _INK)
        y = words.bottom + 40
    _press_stamp(sheet, stamp)
    _fold(sheet)
    glass = Image.new("RGB", _SCAN, "#d8d4cc")
    return photograph(sheet, Pose(0.5 if number % 2 else -0.4, 0.0), glass, 1978 + number)


def _press_stamp(sheet: Sheet, stamp: tuple[str, ...]) -> None:
    if not stamp:
        return
    left, top = 760, sheet.height - 330
    sheet.draw.rounded_rectangle((left, top, left + 330, top + 150), radius=16, outline=_STAMP, width=6)
    for number, line in enumerate(stamp):
        sheet.write(line, (left + 165, top + 24 + number * 60), 40, _STAMP, anchor="ma")


def _fold(sheet: Sheet) -> None:
    """Two creases and two punched holes, clear of the words' strokes."""
    for y in (sheet.height // 3, sheet.height * 2 // 3):
        sheet.draw.line((0, y, 90, y), fill="#d6ccb2", width=5)
        sheet.draw.line((sheet.width - 90, y, sheet.width, y), fill="#d6ccb2", width=5)
    for y in (sheet.height // 2 - 140, sheet.height // 2 + 140):
        sheet.draw.ellipse((36, y - 20, 76, y + 20), fill="#4a4844")
