"""Sentences and tables go on over the end of a page."""

from __future__ import annotations

from pathlib import Path

from reportlab.pdfgen.canvas import Canvas

from indexer.media.pdf.reader import read_pages
from indexer.text.passage import Passage
from indexer.text.passages import build_page_passages
from tests.support.pdf_fixtures import DrawPage, draw_all, draw_text_at, make_pdf

FULL = "The harbour is closed to all ships above sixty metres, and the pilot comes on"
REST = "board at the outer buoy two hours before high water. Fishing boats wait for the"


def passages_of(path: Path, first_page: int = 1) -> list[list[Passage]]:
    return [build_page_passages(page.lines, page.number) for page in read_pages(path, first_page, 400)]


def draw_table(y: float, *rows: tuple[str, ...]) -> DrawPage:
    return draw_all(
        *(draw_text_at(70 + 160 * i, y - 18 * n, text) for n, row in enumerate(rows) for i, text in enumerate(row))
    )


def test_a_sentence_is_whole_on_the_page_where_it_begins_and_known_on_the_next(tmp_path: Path) -> None:
    first = draw_text_at(70, 120, "Rules of the year.", FULL)
    second = draw_text_at(70, 760, REST, "green light.")
    path = make_pdf(tmp_path / "rules.pdf", first, second)
    (upper,), (lower,) = passages_of(path)
    assert upper.text == f"Rules of the year.\n{FULL} board at the outer buoy two hours before high water."
    assert upper.box is not None and upper.box.y0 > 0.8
    assert upper.lines[-1].end == len(f"Rules of the year.\n{FULL}")
    assert lower.text == f"{REST} green light."
    assert lower.context == FULL
    assert passages_of(path, first_page=2) == [[lower]]


def test_nothing_goes_on_after_the_end_of_a_sentence_or_before_a_capital(tmp_path: Path) -> None:
    ended = make_pdf(tmp_path / "a.pdf", draw_text_at(70, 120, FULL + "."), draw_text_at(70, 760, REST))
    capital = make_pdf(tmp_path / "b.pdf", draw_text_at(70, 120, FULL), draw_text_at(70, 760, REST.capitalize()))
    short = make_pdf(tmp_path / "c.pdf", draw_text_at(70, 120, "Signed by the master"), draw_text_at(70, 760, REST))
    for path in (ended, capital, short):
        (upper,), (lower,) = passages_of(path)
        assert "outer buoy" not in upper.text
        assert lower.context == ""


def test_a_table_keeps_its_caption_and_heads_on_the_next_pages(tmp_path: Path) -> None:
    heads = draw_all(
        draw_text_at(70, 200, "Table 3. What the buoys of the outer harbour weigh and cost"),
        draw_table(170, ("Buoy", "Weight", "Price"), ("Alpha", "12 kg", "120.50")),
    )
    second = draw_table(760, *((f"Beta {n}", f"{n} kg", f"{n}0.50") for n in range(3)))
    third = draw_table(760, *((f"Gamma {n}", f"{n} kg", f"{n}1.50") for n in range(3)))
    pages = passages_of(make_pdf(tmp_path / "table.pdf", heads, second, third))
    context = "Table 3. What the buoys of the outer harbour weigh and cost\nBuoy | Weight | Price"
    assert [page[-1].context for page in pages] == [context] * 3
    assert pages[2][0].text.startswith("Gamma 0 | 0 kg | 01.50")


def test_another_table_has_none_of_the_heads_before_it(tmp_path: Path) -> None:
    first = draw_table(200, ("Buoy", "Weight"), ("Alpha", "12 kg"), ("Beta", "14 kg"))
    second = draw_all(*(draw_text_at(x, 760 - 18 * n, f"{x + n}") for n in range(3) for x in (110, 330)))
    assert passages_of(make_pdf(tmp_path / "two.pdf", first, second))[1][0].context == ""


def test_bold_heads_at_the_foot_of_a_page_are_those_of_the_rows_on_the_next(tmp_path: Path) -> None:
    def draw_heads(canvas: Canvas) -> None:
        canvas.setFont("Helvetica-Bold", 12)
        for x, text in ((70, "Keeper"), (230, "Born in")):
            canvas.drawString(x, 100, text)

    first = draw_all(draw_text_at(70, 160, "The keepers of the light are the following men."), draw_heads)
    second = draw_table(760, ("Ann Low", "Ely"), ("Tom Ray", "Rye"))
    assert passages_of(make_pdf(tmp_path / "t.pdf", first, second))[1][0].context == "Keeper | Born in"
