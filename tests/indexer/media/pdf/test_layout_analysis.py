"""Lines, paragraphs, columns and boxes of a page, in the order of reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reportlab.pdfgen.canvas import Canvas

from indexer.media.pdf.reader import probe_document
from indexer.types import Box, Origin, Pixels
from tests.support.pdf_fixtures import (
    LEFT_COLUMN,
    RIGHT_COLUMN,
    draw_all,
    draw_text_at,
    line_texts,
    make_pdf,
    read_drawn_page,
    read_single_page,
)


def ink_around(rgb: Pixels, within: Box | None = None) -> tuple[float, float, float, float]:
    """The extent of dark pixels, as fractions."""
    dark = rgb.mean(axis=2) < 128
    height, width = dark.shape
    if within is not None:
        mask = np.zeros_like(dark)
        rows = slice(int(within.y0 * height), int(within.y1 * height) + 1)
        mask[rows, int(within.x0 * width) : int(within.x1 * width) + 1] = True
        dark &= mask
    ys, xs = np.nonzero(dark)
    return xs.min() / width, ys.min() / height, (xs.max() + 1) / width, (ys.max() + 1) / height


def check_covers(box: Box, ink: tuple[float, float, float, float], slack: float = 0.004) -> None:
    """The box holds all of the ink and is not much larger than it."""
    x0, y0, x1, y1 = ink
    assert box.x0 - slack <= x0 and box.y0 - slack <= y0 and box.x1 + slack >= x1 and box.y1 + slack >= y1
    assert (box.x1 - box.x0) * (box.y1 - box.y0) < 4 * (x1 - x0) * (y1 - y0)


def test_lines_come_with_their_paragraphs(tmp_path: Path) -> None:
    page = read_drawn_page(
        tmp_path,
        draw_all(
            draw_text_at(72, 760, "Notice of termination", size=18),
            draw_text_at(
                72, 720, "Either party may end this agreement by", "giving three months of notice in writing."
            ),
            draw_text_at(72, 670, "Notice is sent to the address below."),
        ),
    )
    assert page.rgb.shape == (800, 566, 3)
    assert page.rgb.flags.c_contiguous
    assert (page.number, page.text_layer_reliable) == (1, True)
    assert [(line.text, line.block) for line in page.lines] == [
        ("Notice of termination", 0),
        ("Either party may end this agreement by", 1),
        ("giving three months of notice in writing.", 1),
        ("Notice is sent to the address below.", 2),
    ]
    assert all(line.origin is Origin.PAGE and line.confidence == 1.0 for line in page.lines)


def test_a_paragraph_also_begins_with_an_indent_or_a_bullet(tmp_path: Path) -> None:
    page = read_drawn_page(
        tmp_path,
        draw_all(
            draw_text_at(72, 700, "The first paragraph goes on for more than", "one line."),
            draw_text_at(90, 671.2, "The second one is indented and it goes"),
            draw_text_at(72, 656.8, "on for more than one line, too."),
            draw_text_at(90, 642.4, "• milk and bread", "• the second item, which goes on for more"),
            draw_text_at(100, 613.6, "than one line"),
            draw_text_at(90, 599.2, "1."),
            draw_text_at(112, 599.2, "the third"),
            draw_text_at(72, 584.8, "The last paragraph follows the list."),
        ),
    )
    assert [line.block for line in page.lines] == [0, 0, 1, 1, 2, 3, 3, 4, 5]
    assert page.lines[-2].text == "1. the third"


@pytest.mark.parametrize("gutter", [12, 40])
@pytest.mark.parametrize("shift", [0, 5])
def test_columns_are_read_one_after_the_other(tmp_path: Path, gutter: float, shift: float) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Times-Roman", 10)
        for i in range(len(LEFT_COLUMN) * 4):
            canvas.drawString(60, 700 - 12 * i, LEFT_COLUMN[i % 5])
        right = 60 + max(canvas.stringWidth(line, "Times-Roman", 10) for line in LEFT_COLUMN) + gutter
        for i in range(len(RIGHT_COLUMN) * 3):
            canvas.drawString(right, 700 - shift - 12 * i, RIGHT_COLUMN[i % 5])

    title = draw_text_at(60, 760, "A short history of the tapes and what was on them", size=16)
    footer = draw_text_at(150, 60, "Printed for the members of the society in the year 1991, page 12", size=10)
    page = read_drawn_page(tmp_path, draw_all(title, draw, footer))
    found = line_texts(page)
    assert found[0] == "A short history of the tapes and what was on them"
    assert found[1:21] == LEFT_COLUMN * 4
    assert found[21:36] == RIGHT_COLUMN * 3
    assert len({line.block for line in page.lines[1:36]}) == 2


def test_the_words_of_columns_may_come_in_any_order_in_the_file(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 10)
        for i, (left, right) in enumerate(zip(LEFT_COLUMN, RIGHT_COLUMN, strict=True)):
            canvas.drawString(310, 700 - 12 * i, right)
            canvas.drawString(60, 700 - 12 * i, left)

    assert line_texts(read_drawn_page(tmp_path, draw)) == LEFT_COLUMN + RIGHT_COLUMN


def test_three_columns_are_three_columns(tmp_path: Path) -> None:
    short = [line[:28].strip() for line in LEFT_COLUMN], [line[:28].strip() for line in RIGHT_COLUMN]
    page = read_drawn_page(
        tmp_path,
        draw_all(
            draw_text_at(40, 700, *short[0], size=9),
            draw_text_at(220, 700, *short[1], size=9),
            draw_text_at(400, 700, *short[0], size=9),
        ),
    )
    assert line_texts(page) == short[0] + short[1] + short[0]


def test_a_table_row_is_one_line_with_its_cells_apart(tmp_path: Path) -> None:
    rows = [
        ("Item", "Quantity", "Price"),
        ("Hammer", "2", "19.90"),
        ("Box of long nails", "12", "4.50"),
        ("Saw", "1", "24.00"),
    ]

    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 11)
        for i, cells in enumerate(rows):
            for x, cell in zip((72, 250, 400), cells, strict=True):
                canvas.drawString(x, 640 - 20 * i, cell)

    page = read_drawn_page(tmp_path, draw_all(draw_text_at(72, 700, *LEFT_COLUMN[:2]), draw))
    assert line_texts(page) == [*LEFT_COLUMN[:2], *("\t".join(cells) for cells in rows)]
    assert [line.block for line in page.lines] == [0, 0, 1, 1, 1, 1]


def test_a_hyphen_at_the_end_of_a_line_is_kept_as_it_stands(tmp_path: Path) -> None:
    page = read_drawn_page(tmp_path, draw_text_at(72, 700, "This is a hyphen-", "ated word in a text."))
    assert line_texts(page) == ["This is a hyphen-", "ated word in a text."]


def test_a_filled_form_field_is_part_of_the_page(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        draw_text_at(72, 700, "Name of the applicant and date of birth:")(canvas)
        canvas.acroForm.textfield(name="who", value="Ada Lovelace", x=72, y=660, width=200, height=20)

    page = read_drawn_page(tmp_path, draw)
    assert line_texts(page) == ["Name of the applicant and date of birth:", "Ada Lovelace"]
    check_covers(page.lines[1].box or Box(0, 0, 1, 1), ink_around(page.rgb, page.lines[1].box), slack=0.01)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_a_box_covers_the_word_on_rotated_pages(tmp_path: Path, rotation: int, angle: int) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(rotation)
        canvas.translate(260, 180)
        canvas.rotate(angle)
        canvas.setFont("Helvetica", 20)
        canvas.drawString(0, 0, "Lighthouse")

    page = read_drawn_page(tmp_path, draw, pagesize=(600, 400))
    assert page.rgb.shape == ((533, 800, 3) if rotation in (0, 180) else (800, 533, 3)) or max(page.rgb.shape) == 800
    (line,) = page.lines
    assert line.text == "Lighthouse"
    assert line.box is not None
    check_covers(line.box, ink_around(page.rgb))
    tall = (line.box.y1 - line.box.y0) * page.rgb.shape[0] > (line.box.x1 - line.box.x0) * page.rgb.shape[1]
    assert tall == ((rotation - angle) % 180 == 90)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_every_line_of_a_page_that_is_upright_when_displayed_stands_in_its_box(tmp_path: Path, rotation: int) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(rotation)
        canvas.translate(300, 300)
        canvas.rotate(rotation)
        draw_text_at(-200, 150, "Lantern gypsum", "jumping quickly", "Zebra (fifty)", size=14, pitch=3)(canvas)

    page = read_drawn_page(tmp_path, draw, pagesize=(600, 600))
    assert line_texts(page) == ["Lantern gypsum", "jumping quickly", "Zebra (fifty)"]
    for line in page.lines:
        assert line.box is not None
        check_covers(line.box, ink_around(page.rgb, line.box), slack=0.003)
    inside = np.zeros(page.rgb.shape[:2], dtype=bool)
    for line in page.lines:
        assert line.box is not None
        height, width = inside.shape
        rows = slice(int(line.box.y0 * height) - 1, int(line.box.y1 * height) + 2)
        inside[rows, int(line.box.x0 * width) - 1 : int(line.box.x1 * width) + 2] = True
    assert not ((page.rgb.mean(axis=2) < 128) & ~inside).any()


def test_boxes_are_fractions_of_what_the_crop_box_shows(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setCropBox((100, 500, 400, 800))
        draw_text_at(150, 700, "Visible words")(canvas)
        draw_text_at(150, 300, "Hidden words")(canvas)

    path = make_pdf(tmp_path / "cropped.pdf", draw)
    assert (probe_document(path, 1).width, probe_document(path, 1).height) == (300, 300)
    page = read_single_page(path)
    assert page.rgb.shape == (800, 800, 3)
    assert line_texts(page) == ["Visible words"]
    assert page.lines[0].box is not None
    check_covers(page.lines[0].box, ink_around(page.rgb))
