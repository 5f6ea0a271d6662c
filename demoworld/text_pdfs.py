"""Office documents: PDFs with a text layer, tables, and a chart that is a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path

from PIL import Image
from reportlab.lib.utils import ImageReader, simpleSplit
from reportlab.pdfbase.pdfmetrics import getAscentDescent, stringWidth
from reportlab.pdfgen.canvas import Canvas

from demoworld.canvas import TextBox, TextCanvas, enclose
from demoworld.truth import Fact, TextSource
from demoworld.world.rendering import render_scene
from demoworld.world.scene import Scene
from indexer.types import AssetKind

A4_POINTS = (595.0, 842.0)
_MARGIN_PT = 62.0
_BODY_PT = 13.0
_SCENE_WIDTH_PX = 800
_REGULAR_FONT, _BOLD_FONT = "Helvetica", "Helvetica-Bold"


@dataclass(frozen=True, slots=True)
class Chart:
    """A bar chart with a label below and a value above each bar."""

    title: str
    labels: tuple[str, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PageSpec:
    """Content of one page from top to bottom: heading, paragraphs, table, chart, scene, notes.

    The table's first row is its header. A `rotated` page is stored on its side with /Rotate 90, so that viewers show it
    upright and wide.
    """

    heading: str
    paragraphs: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    chart: Chart | None = None
    picture: Scene | None = None
    notes: tuple[str, ...] = ()
    rotated: bool = False


@dataclass(frozen=True, slots=True)
class DocumentSpec:
    """A document to write; `stamp` holds the lines of a rubber stamp on old letters."""

    file: str
    title: str
    date: date
    pages: tuple[PageSpec, ...]
    stamp: tuple[str, ...] = ()


def write_text_pdf(document: DocumentSpec, root: Path) -> list[Fact]:
    """Write a PDF with a text layer below `root`; returns a fact for each text on it."""
    path = root / document.file
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas = create_pdf_canvas(path, document.title)
    facts: list[Fact] = []
    for number, page in enumerate(document.pages, start=1):
        writer = _PageWriter(canvas, A4_POINTS[::-1] if page.rotated else A4_POINTS)
        canvas.setPageSize(writer.size)  # as seen: reportlab turns the media box of rotated pages itself
        canvas.setPageRotation(90 if page.rotated else 0)
        if page.rotated:
            canvas.translate(A4_POINTS[0], 0)
            canvas.rotate(90)
        _write_page(writer, page)
        writer.write_footer(f"{document.title}, page {number}")
        canvas.showPage()
        facts += list_page_facts(document, number, "page", writer.text_boxes, writer.size)
        facts += list_page_facts(document, number, "scan", writer.picture_text_boxes, writer.size)
    canvas.save()
    return facts


def create_pdf_canvas(path: Path, title: str) -> Canvas:
    """Create an A4 PDF canvas whose file has the same bytes each time."""
    canvas = Canvas(str(path), pagesize=A4_POINTS, invariant=1)
    canvas.setTitle(title)
    canvas.setAuthor("Velmoray Ferry Company")
    return canvas


def list_page_facts(
    document: DocumentSpec,
    page_number: int,
    source: TextSource,
    text_boxes: Sequence[TextBox],
    size: tuple[float, float],
) -> list[Fact]:
    """Return the facts of one page (counted from 1) from its text boxes; `size` is in the boxes' unit."""
    stem = document.file.rpartition(".")[0].replace("/", "-")
    return [
        Fact(
            f"{stem}-{source}{page_number}-{line}",
            document.file,
            AssetKind.DOCUMENT,
            source,
            words.text,
            page_number,
            box=words.normalize(*size),
        )
        for line, words in enumerate(text_boxes, start=1)
    ]


def _write_page(writer: _PageWriter, page: PageSpec) -> None:
    writer.write_block(page.heading, _BOLD_FONT, 22, after=22)
    for paragraph in page.paragraphs:
        writer.write_block(paragraph, _REGULAR_FONT, _BODY_PT, after=15)
    if page.table:
        writer.write_table(page.table)
    if page.chart:
        writer.draw_chart(page.chart)
    if page.picture:
        writer.draw_scene(page.picture)
    for note in page.notes:
        writer.write_block(note, _REGULAR_FONT, _BODY_PT, after=15)


class _PageWriter:
    """Typesets one page from the top down; positions are in points, y downwards.

    `text_boxes` are of the text layer, `picture_text_boxes` of text that is only readable in pictures.
    """

    def __init__(self, canvas: Canvas, size: tuple[float, float]) -> None:
        self._canvas = canvas
        self._y = _MARGIN_PT
        self.size = size
        self.text_boxes: list[TextBox] = []
        self.picture_text_boxes: list[TextBox] = []

    def write_block(self, text: str, font: str, size: float, after: float) -> None:
        """Write wrapped text as one text box, then leave `after` points."""
        lines = simpleSplit(text, font, size, self.size[0] - 2 * _MARGIN_PT)
        parts = []
        for line in lines:
            self._y += size * 1.45
            parts.append(self._draw_string(line, _MARGIN_PT, font, size))
        self.text_boxes.append(enclose(text, parts))
        self._y += after

    def write_table(self, rows: Sequence[Sequence[str]]) -> None:
        """Write a table with rules between its rows; each row is one text box."""
        size, width = _BODY_PT, self.size[0] - 2 * _MARGIN_PT
        first = width * (0.42 if len(rows[0]) < 5 else 0.2)
        step = (width - first) / max(1, len(rows[0]) - 1)
        lefts = [_MARGIN_PT, *(_MARGIN_PT + first + step * number for number in range(len(rows[0]) - 1))]
        for number, row in enumerate(rows):
            self._y += 26
            font = _REGULAR_FONT if number else _BOLD_FONT
            parts = [self._draw_string(cell, left, font, size) for cell, left in zip(row, lefts, strict=True)]
            self.text_boxes.append(enclose("  ".join(row), parts))
            rule_y = self.size[1] - self._y - 8
            self._canvas.setLineWidth(0.3 if number else 1.0)
            self._canvas.line(_MARGIN_PT, rule_y, self.size[0] - _MARGIN_PT, rule_y)
        self._y += 24

    def draw_chart(self, chart: Chart) -> None:
        """Draw a bar chart as a picture over the width of the page."""
        canvas = _draw_bar_chart(chart)
        width = self.size[0] - 2 * _MARGIN_PT
        scale = width / canvas.width
        height = canvas.height * scale
        reader = ImageReader(encode_jpeg(canvas.image))
        self._canvas.drawImage(reader, _MARGIN_PT, self.size[1] - self._y - height, width, height)
        for words in canvas.text_boxes:
            left, right = (_MARGIN_PT + x * scale for x in (words.left, words.right))
            top, bottom = (self._y + y * scale for y in (words.top, words.bottom))
            self.picture_text_boxes.append(TextBox(words.text, left, top, right, bottom))
        self._y += height + 20

    def draw_scene(self, scene: Scene) -> None:
        """Draw a scene of the drawn world as a picture over the width of the page."""
        width = self.size[0] - 2 * _MARGIN_PT
        height = width / scene.aspect
        pixels = render_scene(scene, _SCENE_WIDTH_PX, round(_SCENE_WIDTH_PX / scene.aspect))
        reader = ImageReader(encode_jpeg(Image.fromarray(pixels)))
        self._canvas.drawImage(reader, _MARGIN_PT, self.size[1] - self._y - height, width, height)
        self._y += height + 20

    def write_footer(self, text: str) -> None:
        """Write one small line at the foot of the page."""
        self._y = self.size[1] - 34
        self.text_boxes.append(self._draw_string(text, _MARGIN_PT, _REGULAR_FONT, 9))

    def _draw_string(self, text: str, left: float, font: str, size: float) -> TextBox:
        self._canvas.setFont(font, size)
        self._canvas.drawString(left, self.size[1] - self._y, text)
        ascent, descent = getAscentDescent(font, size)
        right = left + stringWidth(text, font, size)
        return TextBox(text, left, self._y - ascent, right, self._y - descent)


def _draw_bar_chart(chart: Chart) -> TextCanvas:
    canvas = TextCanvas((1400, 860), "#fbfbf8")
    canvas.write_line(chart.title, (60, 36), 48, "#203040")
    floor, step = 770, 1280 / len(chart.values)
    scale = 560 / max(chart.values)
    for number, (label, value) in enumerate(zip(chart.labels, chart.values, strict=True)):
        left, top = 70 + number * step, floor - value * scale
        canvas.draw.rectangle((left, top, left + step * 0.7, floor), fill="#2f7fa8")
        canvas.write_line(str(value), (left + step * 0.35, top - 42), 32, "#203040", anchor="ma")
        canvas.write_line(label, (left + step * 0.35, floor + 16), 34, "#203040", anchor="ma")
    canvas.draw.line((50, floor, 1350, floor), fill="#203040", width=4)
    return canvas


def encode_jpeg(picture: Image.Image) -> BytesIO:
    """Encode a picture as JPEG for embedding in a PDF."""
    stored = BytesIO()
    picture.save(stored, format="JPEG", quality=85)
    stored.seek(0)
    return stored
