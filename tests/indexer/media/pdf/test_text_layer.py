"""Whether the text layer of a page is to be believed."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from tests.support.pdf_fixtures import (
    A4,
    LEFT_COLUMN,
    RIGHT_COLUMN,
    DrawPage,
    draw_all,
    draw_text_at,
    line_texts,
    make_pdf,
    read_drawn_page,
    read_single_page,
)


def make_scan(words: str = "Minutes of the meeting") -> ImageReader:
    picture = Image.new("L", (600, 840), 250)
    pen = ImageDraw.Draw(picture)
    for i in range(12):
        pen.text((50, 80 + 50 * i), words, fill=20, font=ImageFont.load_default(28))
    return ImageReader(picture.convert("RGB"))


def draw_scan(canvas: Canvas) -> None:
    canvas.drawImage(make_scan(), 0, 0, *A4)


def draw_hidden_text(*lines: str) -> DrawPage:
    def draw(canvas: Canvas) -> None:
        draw_scan(canvas)
        layer = canvas.beginText(50, A4[1] - 100)
        layer.setTextRenderMode(3)
        layer.setFont("Helvetica", 28, leading=50)
        for line in lines:
            layer.textLine(line)
        canvas.drawText(layer)

    return draw


def test_a_scan_without_text_is_not_trusted(tmp_path: Path) -> None:
    page = read_drawn_page(tmp_path, draw_scan)
    assert page.lines == ()
    assert not page.text_layer_reliable
    assert (page.rgb.mean(axis=2) < 128).any()


def test_a_scan_with_a_stamp_of_digital_text_is_still_to_be_read(tmp_path: Path) -> None:
    stamp = draw_text_at(200, 20, "Case 1:20-cv-123 Document 45 Page 5 of 30", size=9)
    page = read_drawn_page(tmp_path, draw_all(draw_scan, stamp))
    assert line_texts(page) == ["Case 1:20-cv-123 Document 45 Page 5 of 30"]
    assert page.text_layer_reliable
    (region,) = page.unread_regions
    assert region.x0 < 0.09 and region.y0 < 0.1 and region.x1 > 0.5 and region.y1 > 0.75


def test_the_hidden_layer_of_a_recognised_scan_counts(tmp_path: Path) -> None:
    page = read_drawn_page(tmp_path, draw_hidden_text(*["Minutes of the meeting"] * 12))
    assert line_texts(page) == ["Minutes of the meeting"] * 12
    assert page.text_layer_reliable


def test_a_hidden_layer_of_garbage_does_not(tmp_path: Path) -> None:
    assert not read_drawn_page(tmp_path, draw_hidden_text(*["~^| ;:' ,, i|! %% '`^ {}"] * 12)).text_layer_reliable


def test_text_where_nothing_can_be_seen_is_not_trusted(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFillGray(1.0)
        draw_text_at(72, 700, *LEFT_COLUMN, *RIGHT_COLUMN)(canvas)

    page = read_drawn_page(tmp_path, draw)
    assert line_texts(page) == LEFT_COLUMN + RIGHT_COLUMN
    assert not page.text_layer_reliable


def test_text_drawn_as_shapes_is_to_be_read_though_the_page_number_is_text(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        for i in range(40):
            canvas.rect(72 + 10 * i, 400, 6, 12, fill=1)
        draw_text_at(300, 40, "17")(canvas)

    page = read_drawn_page(tmp_path, draw)
    assert line_texts(page) == ["17"]
    assert len(page.unread_regions) == 1


def test_a_short_but_true_layer_is_trusted(tmp_path: Path) -> None:
    assert read_drawn_page(tmp_path, draw_text_at(72, 700, "Thanks!", size=40)).text_layer_reliable


def test_glyphs_without_meaning_make_a_layer_poor(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "private.pdf", draw_text_at(72, 700, *LEFT_COLUMN), pageCompression=0)
    data = path.read_bytes()
    names = " ".join(f"/g{i}" for i in range(97, 123))
    encoding = f"<< /Type /Encoding /Differences [97 {names}] >>".encode()
    path.write_bytes(data.replace(b"/WinAnsiEncoding", encoding))
    assert not read_single_page(path).text_layer_reliable
