"""Which lines of a text layer are to be doubted: those of an OCR layer, and those of a wrong character map."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from tests.support.pdf_fixtures import A4, DrawPage, draw_all, draw_text_at, make_pdf, read_single_page

LINES = [
    "The generator in hall four was inspected on Tuesday",
    "by the engineer and was found to be in good order.",
    "The next inspection is due in eleven months, and the",
    "report will be sent to the office of the director.",
]


def shift(text: str, by: int) -> str:
    return "".join(chr((ord(c) - 97 + by) % 26 + 97) if "a" <= c <= "z" else c for c in text.casefold())


def draw_scan(canvas: Canvas) -> None:
    canvas.drawImage(ImageReader(Image.new("RGB", (600, 840), (235, 235, 235))), 0, 0, *A4)


def draw_invisible(*lines: str) -> DrawPage:
    def draw(canvas: Canvas) -> None:
        canvas.saveState()
        layer = canvas.beginText(72, 700)
        layer.setTextRenderMode(3)
        layer.setFont("Helvetica", 12, leading=14.4)
        layer.textLines("\n".join(lines))
        canvas.drawText(layer)
        canvas.restoreState()

    return draw


def draw_visible_as_curves(canvas: Canvas) -> None:
    """Draw ink where the invisible lines are."""
    for i in range(60):
        for row in range(4):
            canvas.rect(72 + 5 * i, 700 - 14.4 * row, 2, 8, fill=1)


@pytest.mark.parametrize(
    ("draw", "hidden"),
    [
        (draw_all(draw_text_at(72, 700, *LINES), draw_scan, draw_text_at(72, 700, *LINES[:1])), True),
        (draw_all(draw_scan, draw_text_at(72, 700, *LINES)), False),
        (draw_text_at(72, 700, *LINES), False),
    ],
)
def test_text_under_a_picture_of_the_whole_page_is_hidden(tmp_path: Path, draw: DrawPage, hidden: bool) -> None:
    assert bool(read_single_page(make_pdf(tmp_path / "scan.pdf", draw)).hidden_lines) == hidden


def test_invisible_lines_are_told_from_drawn_ones(tmp_path: Path) -> None:
    stamp = draw_text_at(72, 60, "Received on 14 March", "by the mail room")
    draw = draw_all(draw_visible_as_curves, draw_invisible(*LINES), stamp)
    page = read_single_page(make_pdf(tmp_path / "ocr.pdf", draw))
    assert page.hidden_lines
    stamped = [i for i, line in enumerate(page.lines) if line.text in ("Received on 14 March", "by the mail room")]
    assert len(stamped) == 2
    assert not set(stamped) & set(page.hidden_lines)


def test_lines_of_a_font_with_unlikely_letters_are_doubted_and_others_are_not(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Times-Roman", 12)
        for i, line in enumerate(LINES):
            canvas.drawString(72, 600 - 14 * i, shift(line, 1))
        draw_text_at(72, 700, *LINES)(canvas)

    page = read_single_page(make_pdf(tmp_path / "two.pdf", draw))
    assert [page.lines[i].text for i in page.unlikely_lines] == [shift(line, 1) for line in LINES]


def test_ordinary_text_gives_no_doubts(tmp_path: Path) -> None:
    page = read_single_page(make_pdf(tmp_path / "plain.pdf", draw_text_at(72, 700, *LINES, "RE16 XYZ 8,412.50")))
    assert (page.hidden_lines, page.unlikely_lines, page.unread_regions) == ((), (), ())
