"""Labels of charts and diagrams are apart from the text and tables of a page."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportlab.lib.colors import lightgrey
from reportlab.pdfgen.canvas import Canvas

from indexer.media.pdf.reader import read_pages
from indexer.text.passages import build_page_passages
from indexer.types import DocumentPage, LineRole
from tests.support.pdf_fixtures import LEFT_COLUMN, DrawPage, draw_all, draw_text_at, make_pdf, read_drawn_page

HARBOURS = ("Ostend", "Zeebrugge", "Nieuwpoort", "Antwerp")
CAPTION = "Figure 3. Landings of sole in four harbours"


def draw_bars(canvas: Canvas) -> None:
    """Bars on a level line, their values on them, and the names of an axis below."""
    canvas.setFont("Helvetica", 9)
    canvas.line(100, 400, 400, 400)
    for number, (name, height) in enumerate(zip(HARBOURS, (120, 60, 90, 30), strict=True)):
        canvas.setFillGray(0.6)
        canvas.rect(120 + 70 * number, 400, 40, height, fill=1)
        canvas.setFillGray(0)
        canvas.drawString(122 + 70 * number, 388, name)
        canvas.drawString(130 + 70 * number, 405, str(10 * height))


def draw_curve(canvas: Canvas) -> None:
    """A slanted line in axes with numbers, and a legend in it."""
    canvas.setFont("Helvetica", 9)
    canvas.rect(100, 400, 300, 120)
    path = canvas.beginPath()
    path.moveTo(100, 400)
    for step in range(1, 30):
        path.lineTo(100 + 10 * step, 400 + step * step / 8)
    canvas.drawPath(path)
    for step in range(4):
        canvas.line(100 + 100 * step, 400, 103 + 100 * step, 404)
        canvas.drawString(98 + 100 * step, 386, str(step))
    canvas.drawString(120, 500, "Depth in fathoms")


def labels_of(page: DocumentPage) -> str:
    return " ".join(line.text.replace("\t", " ") for line in page.lines if line.role is LineRole.LABEL)


def body_of(page: DocumentPage) -> list[str]:
    return [line.text for line in page.lines if line.role is LineRole.BODY]


@pytest.mark.parametrize(
    ("draw", "labels"), [(draw_bars, ("Zeebrugge", "1200", "300")), (draw_curve, ("Depth in fathoms", "0 1 2 3"))]
)
def test_labels_of_a_chart_are_no_part_of_the_text_beside_it(
    tmp_path: Path, draw: DrawPage, labels: tuple[str, ...]
) -> None:
    page = read_drawn_page(tmp_path, draw_all(draw, draw_text_at(420, 515, *LEFT_COLUMN, size=8)))
    assert body_of(page) == LEFT_COLUMN
    assert [label for label in labels if label not in labels_of(page)] == []


def test_labels_are_a_passage_below_the_caption(tmp_path: Path) -> None:
    drawn = draw_all(
        draw_text_at(100, 620, *LEFT_COLUMN),
        draw_bars,
        draw_text_at(100, 362, CAPTION),
        draw_text_at(100, 320, *LEFT_COLUMN),
    )
    pages = read_pages(make_pdf(tmp_path / "landings.pdf", drawn), 1, 400)
    passages = [passage for page in pages for passage in build_page_passages(page.lines, 1)]
    (labels,) = [passage for passage in passages if "Ostend" in passage.text]
    assert "Zeebrugge" in labels.text
    assert labels.context.splitlines()[-1] == CAPTION
    assert "archive" not in labels.text
    assert sum(CAPTION in passage.text for passage in passages) == 1


def draw_table(canvas: Canvas) -> None:
    """A table with rules and every second row shaded."""
    canvas.setFont("Helvetica", 10)
    for row, (name, tons) in enumerate(zip(HARBOURS, (12, 6, 9, 3), strict=True)):
        if row % 2:
            canvas.setFillColor(lightgrey)
            canvas.rect(100, 400 - 20 * row, 300, 18, fill=1, stroke=0)
            canvas.setFillGray(0)
        canvas.line(100, 399 - 20 * row, 400, 399 - 20 * row)
        canvas.drawString(110, 405 - 20 * row, name)
        canvas.drawString(310, 405 - 20 * row, str(tons))


def draw_rounded_frame(canvas: Canvas) -> None:
    """Prose in a frame with round corners, and three round marks beside it."""
    canvas.roundRect(90, 330, 280, 90, 10)
    for number in range(3):
        canvas.circle(110 + 90 * number, 345, 5)
    draw_text_at(100, 400, *LEFT_COLUMN)(canvas)


def draw_logo(canvas: Canvas) -> None:
    """Small curves beside the name that stands at the head of a letter."""
    for number in range(4):
        canvas.circle(80, 800 - 3 * number, 6)
    draw_text_at(95, 795, "Harbour board of Ostend")(canvas)


@pytest.mark.parametrize("draw", [draw_table, draw_rounded_frame, draw_logo])
def test_rules_frames_and_logos_are_no_charts(tmp_path: Path, draw: DrawPage) -> None:
    page = read_drawn_page(tmp_path, draw)
    assert labels_of(page) == ""
    assert body_of(page)


def test_a_page_of_kilometres_is_read_in_the_memory_of_any_other(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.scale(20_000, 20_000)
        draw_curve(canvas)

    path = make_pdf(tmp_path / "huge.pdf", draw, pagesize=(12_000_000, 16_000_000))
    (page,) = read_pages(path, 1, 400)
    assert "Depth in fathoms" in labels_of(page)
