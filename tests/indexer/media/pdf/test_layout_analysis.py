"""Lines, paragraphs, columns and boxes of a page, in the order of reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reportlab.pdfgen.canvas import Canvas

from indexer.media.pdf.reader import probe_document
from indexer.pipeline.checkpoint_builder import build_text_segment
from indexer.text.passage import locate_text
from indexer.text.passages import build_page_passages
from indexer.types import Box, Origin, Pixels
from tests.support.pdf_fixtures import (
    A4,
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


def test_a_line_below_a_cell_goes_on_in_it(tmp_path: Path) -> None:
    page = read_drawn_page(
        tmp_path,
        draw_all(
            draw_text_at(70, 700, "-e"),
            draw_text_at(200, 700, "Erase the chip before it is written, with all of its flash", "and the fuses."),
            draw_text_at(70, 660, "-E"),
            draw_text_at(200, 660, "Leave the pins as they are at the end."),
        ),
    )
    assert line_texts(page) == [
        "-e\tErase the chip before it is written, with all of its flash and the fuses.",
        "-E\tLeave the pins as they are at the end.",
    ]
    assert len({line.block for line in page.lines}) == 1


def test_labels_above_values_are_a_table_though_they_are_smaller(tmp_path: Path) -> None:
    labels, values = ["INVOICE NO.", "ISSUED", "TERMS"], ["TP-0457", "Aug 29, 2025", "Net 21"]
    drawn = [
        draw
        for i, (label, value) in enumerate(zip(labels, values, strict=True))
        for draw in (draw_text_at(70 + 150 * i, 700, label, size=7), draw_text_at(70 + 150 * i, 680, value, size=11))
    ]
    (passage,) = build_page_passages(read_drawn_page(tmp_path, draw_all(*drawn)).lines, 1)
    assert passage.text == "INVOICE NO. | ISSUED | TERMS\nTP-0457 | Aug 29, 2025 | Net 21"
    assert passage.context == "INVOICE NO. | ISSUED | TERMS"


def test_the_amounts_of_a_table_stay_in_their_rows_beside_a_wide_cell(tmp_path: Path) -> None:
    rows = [
        ("Sound", "1 set x 2 days", "1,800,000"),
        ("Tents", "8 rooms x 85,000", "680,000"),
        ("Helpers", "6 people x 2 days x 110,000 in the night", "1,320,000"),
        ("Banner", "5 sheets x 38,000", "190,000"),
        ("Raincoats", "250 pieces x 1,600", "400,000"),
    ]
    drawn = [
        draw_text_at(x, 700 - 16 * i, text)
        for i, row in enumerate(rows)
        for x, text in zip((60, 160, 500), row, strict=True)
    ]
    drawn += [draw_text_at(420, 600, "Subtotal"), draw_text_at(500, 600, "4,390,000")]
    account = draw_text_at(
        65, 500, "Account of the bank", "Wave Bank 081-22-004615", "in the name of the firm", "due on 27 September"
    )
    below = draw_text_at(360, 400, "The firm of paper and people, number 127-33-90518")
    page = read_drawn_page(tmp_path, draw_all(*drawn, account, below))
    assert line_texts(page)[:5] == ["\t".join(row) for row in rows]
    assert "Subtotal\t4,390,000" in line_texts(page)


def test_names_of_options_stand_with_what_they_do(tmp_path: Path) -> None:
    options = [("--sizein", 2), ("--sizeout", 3), ("--selfid", 2), ("--qmask", 3)]
    drawn, y = [], 700
    for name, lines in options:
        texts = [f"Line {i} of what is said of the option {name[2:]} here." for i in range(lines)]
        drawn += [draw_text_at(70, y, name), draw_text_at(180, y, *texts)]
        y -= 20 + 14 * lines
    texts = line_texts(read_drawn_page(tmp_path, draw_all(*drawn)))
    assert [text.split("\t")[0] for text in texts] == [name for name, _ in options]
    assert all(text.count("what is said") == lines for text, (_, lines) in zip(texts, options, strict=True))


def test_a_quoted_cell_is_located_exactly(tmp_path: Path) -> None:
    rows = [("Kentucky", "4,210"), ("Ohio", "3,907")]
    drawn = [
        draw_text_at(x, 700 - 16 * i, text)
        for i, row in enumerate(rows)
        for x, text in zip((60, 460), row, strict=True)
    ]
    (passage,) = build_page_passages(read_drawn_page(tmp_path, draw_all(*drawn)).lines, 1)
    start = passage.text.index("3,907")
    box = locate_text(build_text_segment(passage), start, start + 5)
    assert box is not None
    assert box.x0 == pytest.approx(460 / A4[0], abs=0.005)
    assert box.x1 - box.x0 < 0.07
