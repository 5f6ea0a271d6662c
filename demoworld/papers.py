"""Papers of an office: PDFs with a text layer, tables and a chart that is a picture."""

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

from demoworld.sheet import Sheet, Written, enclosing
from demoworld.truth import Fact, Where
from demoworld.world.drawing import draw
from demoworld.world.scene import Scene
from indexer.types import AssetKind

A4_POINTS = (595.0, 842.0)
_MARGIN = 62.0
_BODY = 13.0
_SCENE_PX = 800
_PLAIN, _STRONG = "Helvetica", "Helvetica-Bold"


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars with a label below and a value above each."""

    title: str
    labels: tuple[str, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PaperPage:
    """One page, from top to bottom: heading, paragraphs, table (its first row is the header), chart, drawn scene,
    notes.

    A `rotated` page is stored on its side with /Rotate 90, so that it is seen upright and wide.
    """

    heading: str
    paragraphs: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    chart: Chart | None = None
    picture: Scene | None = None
    notes: tuple[str, ...] = ()
    rotated: bool = False


@dataclass(frozen=True, slots=True)
class Paper:
    """A document; `stamp` is for old letters that were stamped on arrival."""

    file: str
    title: str
    date: date
    pages: tuple[PaperPage, ...]
    stamp: tuple[str, ...] = ()


def print_paper(paper: Paper, root: Path) -> list[Fact]:
    """Write a PDF with a text layer below `root` and say what is printed where."""
    path = root / paper.file
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas = new_canvas(path, paper.title)
    facts: list[Fact] = []
    for number, page in enumerate(paper.pages, start=1):
        press = _Press(canvas, A4_POINTS[::-1] if page.rotated else A4_POINTS)
        canvas.setPageSize(press.size)  # as seen: reportlab turns the media box of rotated pages itself
        canvas.setPageRotation(90 if page.rotated else 0)
        if page.rotated:
            canvas.translate(A4_POINTS[0], 0)
            canvas.rotate(90)
        _print_page(press, page)
        press.footer(f"{paper.title}, page {number}")
        canvas.showPage()
        facts += page_facts(paper, number, "page", press.printed, press.size)
        facts += page_facts(paper, number, "scan", press.pictured, press.size)
    canvas.save()
    return facts


def new_canvas(path: Path, title: str) -> Canvas:
    """An A4 canvas whose file has the same bytes each time."""
    canvas = Canvas(str(path), pagesize=A4_POINTS, invariant=1)
    canvas.setTitle(title)
    canvas.setAuthor("Velmoray Ferry Company")
    return canvas


def page_facts(
    paper: Paper, number: int, where: Where, written: Sequence[Written], size: tuple[float, float]
) -> list[Fact]:
    """Facts of one page (counted from 1) from the words on it; `size` is in the unit of their rectangles."""
    stem = paper.file.rpartition(".")[0].replace("/", "-")
    return [
        Fact(
            f"{stem}-{where}{number}-{line}",
            paper.file,
            AssetKind.DOCUMENT,
            where,
            words.text,
            number,
            box=words.box(*size),
        )
        for line, words in enumerate(written, start=1)
    ]


def _print_page(press: _Press, page: PaperPage) -> None:
    press.block(page.heading, _STRONG, 22, after=22)
    for paragraph in page.paragraphs:
        press.block(paragraph, _PLAIN, _BODY, after=15)
    if page.table:
        press.table(page.table)
    if page.chart:
        press.chart(page.chart)
    if page.picture:
        press.scene(page.picture)
    for note in page.notes:
        press.block(note, _PLAIN, _BODY, after=15)


class _Press:
    """Sets type on one page from the top down; positions are kept in points, y downwards.

    `printed` is what the text layer holds, `pictured` what is readable only in pictures.
    """

    def __init__(self, canvas: Canvas, size: tuple[float, float]) -> None:
        self._canvas = canvas
        self._y = _MARGIN
        self.size = size
        self.printed: list[Written] = []
        self.pictured: list[Written] = []

    def block(self, text: str, font: str, size: float, after: float) -> None:
        lines = simpleSplit(text, font, size, self.size[0] - 2 * _MARGIN)
        parts = []
        for line in lines:
            self._y += size * 1.45
            parts.append(self._set(line, _MARGIN, font, size))
        self.printed.append(enclosing(text, parts))
        self._y += after

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        size, width = _BODY, self.size[0] - 2 * _MARGIN
        first = width * (0.42 if len(rows[0]) < 5 else 0.2)
        step = (width - first) / max(1, len(rows[0]) - 1)
        lefts = [_MARGIN, *(_MARGIN + first + step * number for number in range(len(rows[0]) - 1))]
        for number, row in enumerate(rows):
            self._y += 26
            font = _PLAIN if number else _STRONG
            parts = [self._set(cell, left, font, size) for cell, left in zip(row, lefts, strict=True)]
            self.printed.append(enclosing("  ".join(row), parts))
            rule_y = self.size[1] - self._y - 8
            self._canvas.setLineWidth(0.3 if number else 1.0)
            self._canvas.line(_MARGIN, rule_y, self.size[0] - _MARGIN, rule_y)
        self._y += 24

    def chart(self, chart: Chart) -> None:
        sheet = _bars(chart)
        width = self.size[0] - 2 * _MARGIN
        scale = width / sheet.width
        height = sheet.height * scale
        reader = ImageReader(jpeg(sheet.image))
        self._canvas.drawImage(reader, _MARGIN, self.size[1] - self._y - height, width, height)
        for words in sheet.written:
            left, right = (_MARGIN + x * scale for x in (words.left, words.right))
            top, bottom = (self._y + y * scale for y in (words.top, words.bottom))
            self.pictured.append(Written(words.text, left, top, right, bottom))
        self._y += height + 20

    def scene(self, scene: Scene) -> None:
        width = self.size[0] - 2 * _MARGIN
        height = width / scene.aspect
        pixels = draw(scene, _SCENE_PX, round(_SCENE_PX / scene.aspect))
        reader = ImageReader(jpeg(Image.fromarray(pixels)))
        self._canvas.drawImage(reader, _MARGIN, self.size[1] - self._y - height, width, height)
        self._y += height + 20

    def footer(self, text: str) -> None:
        self._y = self.size[1] - 34
        self.printed.append(self._set(text, _MARGIN, _PLAIN, 9))

    def _set(self, text: str, left: float, font: str, size: float) -> Written:
        self._canvas.setFont(font, size)
        self._canvas.drawString(left, self.size[1] - self._y, text)
        ascent, descent = getAscentDescent(font, size)
        right = left + stringWidth(text, font, size)
        return Written(text, left, self._y - ascent, right, self._y - descent)


def _bars(chart: Chart) -> Sheet:
    sheet = Sheet((1400, 860), "#fbfbf8")
    sheet.write(chart.title, (60, 36), 48, "#203040")
    floor, step = 770, 1280 / len(chart.values)
    scale = 560 / max(chart.values)
    for number, (label, value) in enumerate(zip(chart.labels, chart.values, strict=True)):
        left, top = 70 + number * step, floor - value * scale
        sheet.draw.rectangle((left, top, left + step * 0.7, floor), fill="#2f7fa8")
        sheet.write(str(value), (left + step * 0.35, top - 42), 32, "#203040", anchor="ma")
        sheet.write(label, (left + step * 0.35, floor + 16), 34, "#203040", anchor="ma")
    sheet.draw.line((50, floor, 1350, floor), fill="#203040", width=4)
    return sheet


def jpeg(picture: Image.Image) -> BytesIO:
    """A picture as JPEG bytes, ready to be laid into a PDF."""
    stored = BytesIO()
    picture.save(stored, format="JPEG", quality=85)
    stored.seek(0)
    return stored
