"""Headings and titles of documents are context of what stands below them."""

from __future__ import annotations

from pathlib import Path

from reportlab.pdfgen.canvas import Canvas

from indexer.media.pdf.reader import read_pages
from indexer.text.passage import Passage
from indexer.text.passages import build_page_passages
from indexer.types import LineRole
from tests.support.pdf_fixtures import DrawPage, draw_all, draw_text_at, make_pdf, read_drawn_page

TEXT = ("The tide is read from the pole at the pier head every quarter of an", "hour, and written down by the watch.")


def draw_bold(x: float, y: float, text: str, size: float = 12) -> DrawPage:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica-Bold", size)
        canvas.drawString(x, y, text)

    return draw


def name_file(title: str) -> DrawPage:
    return lambda canvas: canvas.setTitle(title)


def passages_of(path: Path, first_page: int = 1) -> list[list[Passage]]:
    return [build_page_passages(page.lines, page.number) for page in read_pages(path, first_page, 400)]


def test_larger_lines_and_bold_ones_are_headings(tmp_path: Path) -> None:
    page = read_drawn_page(
        tmp_path,
        draw_all(
            draw_text_at(70, 780, "Handbook of the Pier", size=24),
            draw_bold(70, 720, "Reading the tide"),
            draw_text_at(70, 705, *TEXT),
            draw_text_at(70, 650, "Total 45.00 EUR", size=24),
        ),
    )
    assert [line.text for line in page.lines if line.role is LineRole.HEADING] == [
        "Handbook of the Pier",
        "Reading the tide",
    ]
    assert [line.context for line in page.lines][2] == "Handbook of the Pier\nReading the tide"


def test_numbered_sections_are_context_over_pages(tmp_path: Path) -> None:
    first = draw_all(
        draw_bold(70, 780, "3 Watches", size=18),
        draw_bold(70, 740, "3.1 The night watch", size=14),
        draw_text_at(70, 700, *TEXT),
    )
    second = draw_text_at(70, 700, *TEXT)
    third = draw_all(
        draw_text_at(70, 780, *TEXT), draw_bold(70, 700, "3.2 The day watch", size=14), draw_text_at(70, 660, *TEXT)
    )
    path = make_pdf(tmp_path / "book.pdf", draw_all(name_file("Pier Handbook"), first), second, third)
    pages = passages_of(path)
    assert pages[0][0].context == "Pier Handbook\n3 Watches\n3.1 The night watch"
    assert pages[0][0].text.startswith("3 Watches\n3.1 The night watch\nThe tide")
    assert [p.context for p in pages[1]] == ["Pier Handbook\n3 Watches\n3.1 The night watch"]
    assert [p.context.splitlines()[-1] for p in pages[2]] == ["3.1 The night watch", "3.2 The day watch"]
    assert passages_of(path, first_page=3) == pages[2:]


def test_the_title_is_the_largest_heading_where_the_file_names_none(tmp_path: Path) -> None:
    cover = draw_all(draw_text_at(70, 700, "The Pier and its Keepers", size=30), draw_text_at(70, 600, *TEXT))
    others = [
        draw_text_at(70, 700, f"The keeper of year {number} wrote no more than this.", *TEXT) for number in range(7)
    ]
    path = make_pdf(tmp_path / "book.pdf", draw_all(name_file("Microsoft Word - x.doc"), cover), *others)
    pages = passages_of(path)
    assert [page[0].context for page in pages] == ["The Pier and its Keepers"] * 8
    assert passages_of(path, first_page=8) == pages[7:]


def test_bold_rows_above_others_are_the_heads_of_columns(tmp_path: Path) -> None:
    def cells(y: float, *texts: str, draw: object = draw_text_at) -> list[DrawPage]:
        return [draw(70 + 150 * i, y, text) for i, text in enumerate(texts)]  # type: ignore[operator]

    rows = [*cells(700, "Keeper", "Born in", draw=draw_bold)]
    for i, (keeper, town) in enumerate(
        [("Ann Low", "Ely"), ("Tom Ray", "Rye"), ("Eva Dee", "Hull"), ("Ian Fox", "Deal")] * 2
    ):
        rows += cells(684 - 16 * i, keeper, town)
    (passages,) = passages_of(make_pdf(tmp_path / "table.pdf", draw_all(*rows)))
    assert [passage.context for passage in passages] == ["Keeper | Born in"] * 2
    assert passages[1].text == "Ann Low | Ely\nTom Ray | Rye\nEva Dee | Hull\nIan Fox | Deal"
