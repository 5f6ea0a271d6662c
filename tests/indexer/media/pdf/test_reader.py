"""PDFs made with reportlab, read back: pictures, lines, boxes, order, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from indexer.errors import DamagedMedia, LimitExceeded, ProtectedMedia, SourceNotFound, UnsupportedMedia
from indexer.media.pdf.reader import probe_document, read_pages
from indexer.types import AssetKind, Box, DocumentPage, Origin, Pixels

A4 = (595.276, 841.89)
MAX_PX = 800
DrawPage = Callable[[Canvas], None]

LEFT_COLUMN = [
    "The archive keeps every recording of",
    "the northern station since the spring",
    "of nineteen eighty four, when the old",
    "tape machines were finally replaced.",
    "Each reel was cleaned and listened to",
]
RIGHT_COLUMN = [
    "by two people who wrote down what they",
    "heard before the tapes were stored in",
    "the cellar, where they remained for a",
    "long time without being touched again",
    "until the flood of the year after that.",
]


def make_pdf(path: Path, *pages: DrawPage, **options: object) -> Path:
    canvas = Canvas(str(path), pagesize=options.pop("pagesize", A4), **options)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return path


def draw_text_at(x: float, y: float, *lines: str, size: float = 12, pitch: float = 1.2) -> DrawPage:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", size)
        for i, line in enumerate(lines):
            canvas.drawString(x, y - i * size * pitch, line)

    return draw


def draw_all(*draws: DrawPage) -> DrawPage:
    def draw(canvas: Canvas) -> None:
        for each in draws:
            each(canvas)

    return draw


def read_single_page(path: Path) -> DocumentPage:
    (page,) = read_pages(path, 1, MAX_PX)
    return page


def line_texts(page: DocumentPage) -> list[str]:
    return [line.text for line in page.lines]


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


# What a document says of itself


def test_a_document_tells_its_pages_and_the_size_of_the_first(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "report.pdf", *[draw_text_at(72, 700, "A page")] * 3)
    info = probe_document(path, 10)
    assert (info.kind, info.format, info.pages, info.width, info.height) == (AssetKind.DOCUMENT, "pdf", 3, 595, 842)
    assert info.taken_at is not None
    assert abs(info.taken_at - datetime.now(UTC).timestamp()) < 3600 * 24


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("D:20240504183000+02'00'", datetime(2024, 5, 4, 18, 30, tzinfo=timezone(timedelta(hours=2)))),
        ("D:20240504183000-0330", datetime(2024, 5, 4, 18, 30, tzinfo=timezone(-timedelta(hours=3, minutes=30)))),
        ("D:20240504183000Z00'00'", datetime(2024, 5, 4, 18, 30, tzinfo=UTC)),
        ("D:202405", datetime(2024, 5, 1, tzinfo=UTC)),
        ("D:20241399", None),
        ("last week", None),
    ],
)
def test_the_creation_date_is_read_where_it_parses(tmp_path: Path, written: str, expected: datetime | None) -> None:
    path = make_pdf(tmp_path / "dated.pdf", draw_text_at(72, 700, "A page"))
    data = path.read_bytes()
    begin = data.index(b"/CreationDate (") + len(b"/CreationDate (")
    end = data.index(b")", begin)
    path.write_bytes(data[:begin] + written.encode().ljust(end - begin)[: end - begin] + data[end:])
    taken_at = probe_document(path, 10).taken_at
    assert taken_at == (expected.timestamp() if expected else None)


def test_too_many_pages_are_refused_with_both_numbers(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "long.pdf", *[draw_text_at(72, 700, "A page")] * 5)
    with pytest.raises(LimitExceeded) as caught:
        probe_document(path, 4)
    assert str(caught.value) == f"{path}: 5 pages, over the limit of 4 pages"


# Lines, blocks, order


def test_lines_come_with_their_paragraphs(tmp_path: Path) -> None:
    path = make_pdf(
        tmp_path / "prose.pdf",
        draw_all(
            draw_text_at(72, 760, "Notice of termination", size=18),
            draw_text_at(
                72, 720, "Either party may end this agreement by", "giving three months of notice in writing."
            ),
            draw_text_at(72, 670, "Notice is sent to the address below."),
        ),
    )
    page = read_single_page(path)
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
    path = make_pdf(
        tmp_path / "indents.pdf",
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
    page = read_single_page(path)
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
    path = make_pdf(tmp_path / "columns.pdf", draw_all(title, draw, footer))
    found = line_texts(read_single_page(path))
    assert found[0] == "A short history of the tapes and what was on them"
    assert found[1:21] == LEFT_COLUMN * 4
    assert found[21:36] == RIGHT_COLUMN * 3
    assert len({line.block for line in read_single_page(path).lines[1:36]}) == 2


def test_the_words_of_columns_may_come_in_any_order_in_the_file(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 10)
        for i, (left, right) in enumerate(zip(LEFT_COLUMN, RIGHT_COLUMN, strict=True)):
            canvas.drawString(310, 700 - 12 * i, right)
            canvas.drawString(60, 700 - 12 * i, left)

    assert line_texts(read_single_page(make_pdf(tmp_path / "mixed.pdf", draw))) == LEFT_COLUMN + RIGHT_COLUMN


def test_three_columns_are_three_columns(tmp_path: Path) -> None:
    short = [line[:28].strip() for line in LEFT_COLUMN], [line[:28].strip() for line in RIGHT_COLUMN]
    path = make_pdf(
        tmp_path / "three.pdf",
        draw_all(
            draw_text_at(40, 700, *short[0], size=9),
            draw_text_at(220, 700, *short[1], size=9),
            draw_text_at(400, 700, *short[0], size=9),
        ),
    )
    assert line_texts(read_single_page(path)) == short[0] + short[1] + short[0]


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

    path = make_pdf(tmp_path / "table.pdf", draw_all(draw_text_at(72, 700, *LEFT_COLUMN[:2]), draw))
    page = read_single_page(path)
    assert line_texts(page) == [*LEFT_COLUMN[:2], *("\t".join(cells) for cells in rows)]
    assert [line.block for line in page.lines] == [0, 0, 1, 1, 1, 1]


def test_a_hyphen_at_the_end_of_a_line_is_kept_as_it_stands(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "hyphen.pdf", draw_text_at(72, 700, "This is a hyphen-", "ated word in a text."))
    assert line_texts(read_single_page(path)) == ["This is a hyphen-", "ated word in a text."]


def test_a_filled_form_field_is_part_of_the_page(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        draw_text_at(72, 700, "Name of the applicant and date of birth:")(canvas)
        canvas.acroForm.textfield(name="who", value="Ada Lovelace", x=72, y=660, width=200, height=20)

    page = read_single_page(make_pdf(tmp_path / "form.pdf", draw))
    assert line_texts(page) == ["Name of the applicant and date of birth:", "Ada Lovelace"]
    check_covers(page.lines[1].box or Box(0, 0, 1, 1), ink_around(page.rgb, page.lines[1].box), slack=0.01)


# Boxes


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_a_box_covers_the_word_on_rotated_pages(tmp_path: Path, rotation: int, angle: int) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(rotation)
        canvas.translate(260, 180)
        canvas.rotate(angle)
        canvas.setFont("Helvetica", 20)
        canvas.drawString(0, 0, "Lighthouse")

    page = read_single_page(make_pdf(tmp_path / "turned.pdf", draw, pagesize=(600, 400)))
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

    page = read_single_page(make_pdf(tmp_path / "upright.pdf", draw, pagesize=(600, 600)))
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


# Whether the layer is to be believed


def make_scan(words: str = "Minutes of the meeting") -> ImageReader:
    picture = Image.new("L", (600, 840), 250)
    pen = ImageDraw.Draw(picture)
    for i in range(12):
        pen.text((50, 80 + 50 * i), words, fill=20, font=ImageFont.load_default(28))
    return ImageReader(picture.convert("RGB"))


def draw_hidden_text(*lines: str) -> DrawPage:
    def draw(canvas: Canvas) -> None:
        canvas.drawImage(make_scan(), 0, 0, *A4)
        layer = canvas.beginText(50, A4[1] - 100)
        layer.setTextRenderMode(3)
        layer.setFont("Helvetica", 28, leading=50)
        for line in lines:
            layer.textLine(line)
        canvas.drawText(layer)

    return draw


def test_a_scan_without_text_is_not_trusted(tmp_path: Path) -> None:
    page = read_single_page(make_pdf(tmp_path / "scan.pdf", lambda canvas: canvas.drawImage(make_scan(), 0, 0, *A4)))
    assert page.lines == ()
    assert not page.text_layer_reliable
    assert (page.rgb.mean(axis=2) < 128).any()


def test_a_scan_with_nothing_but_a_stamp_is_not_trusted(tmp_path: Path) -> None:
    stamp = draw_text_at(200, 20, "Case 1:20-cv-123 Document 45 Page 5 of 30", size=9)
    page = read_single_page(
        make_pdf(tmp_path / "stamp.pdf", draw_all(lambda canvas: canvas.drawImage(make_scan(), 0, 0, *A4), stamp))
    )
    assert line_texts(page) == ["Case 1:20-cv-123 Document 45 Page 5 of 30"]
    assert not page.text_layer_reliable


def test_the_hidden_layer_of_a_recognised_scan_counts(tmp_path: Path) -> None:
    page = read_single_page(make_pdf(tmp_path / "ocr.pdf", draw_hidden_text(*["Minutes of the meeting"] * 12)))
    assert line_texts(page) == ["Minutes of the meeting"] * 12
    assert page.text_layer_reliable


def test_a_hidden_layer_of_garbage_does_not(tmp_path: Path) -> None:
    assert not read_single_page(
        make_pdf(tmp_path / "noise.pdf", draw_hidden_text(*["~^| ;:' ,, i|! %% '`^ {}"] * 12))
    ).text_layer_reliable


def test_text_where_nothing_can_be_seen_is_not_trusted(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFillGray(1.0)
        draw_text_at(72, 700, *LEFT_COLUMN, *RIGHT_COLUMN)(canvas)

    page = read_single_page(make_pdf(tmp_path / "white.pdf", draw))
    assert line_texts(page) == LEFT_COLUMN + RIGHT_COLUMN
    assert not page.text_layer_reliable


def test_text_drawn_as_shapes_is_not_trusted_for_its_page_number(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        for i in range(40):
            canvas.rect(72 + 10 * i, 400, 6, 12, fill=1)
        draw_text_at(300, 40, "17")(canvas)

    assert not read_single_page(make_pdf(tmp_path / "shapes.pdf", draw)).text_layer_reliable


def test_a_short_but_true_layer_is_trusted(tmp_path: Path) -> None:
    assert read_single_page(
        make_pdf(tmp_path / "short.pdf", draw_text_at(72, 700, "Thanks!", size=40))
    ).text_layer_reliable


def test_glyphs_without_meaning_make_a_layer_poor(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "private.pdf", draw_text_at(72, 700, *LEFT_COLUMN), pageCompression=0)
    data = path.read_bytes()
    names = " ".join(f"/g{i}" for i in range(97, 123))
    encoding = f"<< /Type /Encoding /Differences [97 {names}] >>".encode()
    path.write_bytes(data.replace(b"/WinAnsiEncoding", encoding))
    assert not read_single_page(path).text_layer_reliable


# Pages in series


def test_reading_begins_at_the_page_asked_for(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "many.pdf", *(draw_text_at(72, 700, f"This is page {i}") for i in range(1, 7)))
    pages = list(read_pages(path, 4, 100))
    assert [(page.number, line_texts(page)) for page in pages] == [(i, [f"This is page {i}"]) for i in (4, 5, 6)]
    assert list(read_pages(path, 7, 100)) == []


@pytest.mark.parametrize("damage", ["dictionary", "content"])
def test_one_broken_page_does_not_lose_the_others(tmp_path: Path, damage: str) -> None:
    path = make_pdf(
        tmp_path / "three.pdf", *(draw_text_at(72, 700, f"This is page {i}") for i in (1, 2, 3)), pageCompression=1
    )
    data = bytearray(path.read_bytes())
    if damage == "dictionary":
        at = [i for i in range(len(data)) if data[i : i + 11] == b"/Type /Page" and data[i + 11 : i + 12] != b"s"][1]
        begin = data.rindex(b"<<", 0, data.rindex(b"/Contents", 0, at))
        data[begin : begin + 2] = b"xx"
    else:
        at = [i for i in range(len(data)) if data[i : i + 7] == b"stream\n" or data[i : i + 8] == b"stream\r\n"][1]
        data[at + 10 : at + 60] = b"\xff" * 50
    path.write_bytes(data)
    assert probe_document(path, 10).pages == 3
    pages = list(read_pages(path, 1, 200))
    assert [page.number for page in pages] == [1, 2, 3]
    assert [line_texts(page) for page in pages] == [["This is page 1"], [], ["This is page 3"]]
    assert [page.text_layer_reliable for page in pages] == [True, False, True]
    assert pages[1].rgb.shape in ((200, 141, 3), (200, 142, 3))


def test_memory_does_not_grow_with_the_pages(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (12, 300, 300, 3), dtype=np.uint8)
    pictures = [ImageReader(Image.fromarray(pixels)) for pixels in noise]

    def draw(number: int) -> DrawPage:
        return draw_all(
            lambda canvas: canvas.drawImage(pictures[number % 12], 72, 72, 400, 400),
            draw_text_at(72, 700, *LEFT_COLUMN),
        )

    path = make_pdf(tmp_path / "pictures.pdf", *map(draw, range(160)))
    process, resident = psutil.Process(), []
    for page in read_pages(path, 1, 300):
        assert page.text_layer_reliable
        resident.append(process.memory_info().rss)
    assert max(resident[80:]) - max(resident[:80]) < 8_000_000


# What is refused


def test_a_password_is_asked_for_by_name(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "secret.pdf", draw_text_at(72, 700, "Secret"), encrypt=StandardEncryption("open", "own"))
    with pytest.raises(ProtectedMedia) as caught:
        probe_document(path, 10)
    assert str(caught.value) == f"{path}: needs a password"
    with pytest.raises(ProtectedMedia):
        next(read_pages(path, 1, 100))


def test_a_document_that_only_its_owner_may_change_opens(tmp_path: Path) -> None:
    path = make_pdf(
        tmp_path / "owned.pdf", draw_text_at(72, 700, "Readable"), encrypt=StandardEncryption("", "own", canPrint=0)
    )
    assert probe_document(path, 10).pages == 1
    assert line_texts(read_single_page(path)) == ["Readable"]


@pytest.mark.parametrize("content", [b"%PDF-1.7\n" + b"junk " * 400, b""])
def test_a_corrupt_document_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.pdf"
    path.write_bytes(content)
    with pytest.raises(DamagedMedia, match=r"broken\.pdf: is (damaged beyond reading|empty)"):
        probe_document(path, 10)


def test_what_is_no_pdf_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "words.pdf"
    path.write_text("Just some words.\n" * 10)
    with pytest.raises(UnsupportedMedia, match="not a PDF document"):
        probe_document(path, 10)
    with pytest.raises(SourceNotFound, match="no such file"):
        probe_document(tmp_path / "nowhere.pdf", 10)
