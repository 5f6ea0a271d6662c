"""PDF pages for tests: drawing them, and reading them back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reportlab.pdfgen.canvas import Canvas

from indexer.media.pdf.reader import read_pages
from indexer.types import DocumentPage

A4 = (595.276, 841.89)
MAX_PX = 800
DrawPage = Callable[[Canvas], None]
"""Draws a page."""
LEFT_COLUMN = [
    "The archive keeps every recording of",
    "the northern station since the spring",
    "of nineteen eighty four, when the old",
    "tape machines were finally replaced.",
    "Each reel was cleaned and listened to",
]
"""Lines of prose."""
RIGHT_COLUMN = [
    "by two people who wrote down what they",
    "heard before the tapes were stored in",
    "the cellar, where they remained for a",
    "long time without being touched again",
    "until the flood of the year after that.",
]
"""Lines of prose, which go on where those of the left column end."""


def make_pdf(path: Path, *pages: DrawPage, **options: object) -> Path:
    """Write a PDF with a page for each drawing; gives its path."""
    canvas = Canvas(str(path), pagesize=options.pop("pagesize", A4), **options)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return path


def draw_text_at(x: float, y: float, *lines: str, size: float = 12, pitch: float = 1.2) -> DrawPage:
    """Return the drawing of lines from a point downwards."""

    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", size)
        for i, line in enumerate(lines):
            canvas.drawString(x, y - i * size * pitch, line)

    return draw


def draw_all(*draws: DrawPage) -> DrawPage:
    """Return several drawings as one."""

    def draw(canvas: Canvas) -> None:
        for each in draws:
            each(canvas)

    return draw


def read_single_page(path: Path) -> DocumentPage:
    """Read a document of one page."""
    (page,) = read_pages(path, 1, MAX_PX)
    return page


def read_drawn_page(folder: Path, draw: DrawPage, **options: object) -> DocumentPage:
    """Write a PDF of one page into a folder and read it."""
    return read_single_page(make_pdf(folder / "page.pdf", draw, **options))


def line_texts(page: DocumentPage) -> list[str]:
    """Return the texts of a page's lines."""
    return [line.text for line in page.lines]
