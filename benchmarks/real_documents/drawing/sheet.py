"""A sheet of paper that text, lines and tables are drawn on; distances in points from its upper left corner."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from benchmarks.real_documents.drawing.fonts import Family, register_font

A4 = (595.0, 842.0)
"""Source: ISO 216."""

_LINE_RATIO = 1.45
"""Chosen: distance of lines over the size of their letters."""


class Sheet:
    """A page being drawn. `family` is the font where a text names none."""

    def __init__(self, width: float, height: float, family: Family, cache: Path) -> None:
        self.width, self.height, self._family, self._cache = width, height, family, cache
        self._buffer = io.BytesIO()
        self._canvas = Canvas(self._buffer, pagesize=(width, height), invariant=1)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 9.0,
        *,
        bold: bool = False,
        align: str = "left",
        grey: float = 0.0,
        family: Family | None = None,
    ) -> float:
        """Draw lines of text whose first has its baseline at `y`; returns the baseline of the line after them."""
        font = register_font(family or self._family, bold, self._cache)
        self._canvas.setFillGray(grey)
        self._canvas.setFont(font, size)
        for line in text.split("\n"):
            start = x - {"left": 0.0, "center": 0.5, "right": 1.0}[align] * stringWidth(line, font, size)
            self._canvas.drawString(start, self.height - y, line)
            y += size * _LINE_RATIO
        return y

    def line(self, x0: float, y0: float, x1: float, y1: float, width: float = 0.6, dashed: bool = False) -> None:
        """Draw a line."""
        self._canvas.setStrokeGray(0.0)
        self._canvas.setLineWidth(width)
        self._canvas.setDash(*([2, 2] if dashed else []))
        self._canvas.line(x0, self.height - y0, x1, self.height - y1)

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: float | None = None, width: float = 0.6) -> None:
        """Draw a box, filled with a grey where one is named, without its outline where `width` is 0."""
        self._canvas.setDash()
        self._canvas.setStrokeGray(0.0)
        self._canvas.setLineWidth(width)
        self._canvas.setFillGray(1.0 if fill is None else fill)
        self._canvas.rect(x0, self.height - y1, x1 - x0, y1 - y0, stroke=int(width > 0), fill=int(fill is not None))

    def row(self, y: float, cells: Sequence[tuple[float, str, str]], size: float = 9.0, *, bold: bool = False) -> float:
        """Draw cells of one line, each with its place and alignment; returns the baseline of the next line."""
        for x, text, align in cells:
            self.text(x, y, text, size, bold=bold, align=align)
        return y + size * _LINE_RATIO

    def table(
        self,
        x: float,
        y: float,
        widths: Sequence[float],
        rows: Sequence[Sequence[str]],
        aligns: str,
        size: float = 9.0,
        *,
        grid: bool = False,
        header_fill: float | None = 0.88,
    ) -> float:
        """Draw a table whose first row is its header, from its upper edge `y`; returns its lower edge.

        `aligns` has a letter for each column: l, c, r.
        """
        step, total = size * 1.9, sum(widths)
        for number, cells in enumerate(rows):
            top = y + number * step
            if number == 0 and header_fill is not None:
                self.box(x, top, x + total, top + step, header_fill, 0)
            left = x
            for width, cell, align in zip(widths, cells, aligns, strict=True):
                place = {"l": left + 4, "c": left + width / 2, "r": left + width - 4}[align]
                name = {"l": "left", "c": "center", "r": "right"}[align]
                self.text(place, top + step * 0.68, cell, size, bold=number == 0, align=name)
                if grid:
                    self.box(left, top, left + width, top + step)
                left += width
            if not grid:
                self.line(x, top + step, x + total, top + step, 0.3)
        return y + len(rows) * step

    def finish(self) -> bytes:
        """Return the PDF file."""
        self._canvas.showPage()
        self._canvas.save()
        return self._buffer.getvalue()


def format_amount(cents: int, style: str) -> str:
    """Return an amount as a country writes it: `us` 1,234.50, `de` 1.234,50, `ch` 1'234.50."""
    point, separator = {"us": (".", ","), "de": (",", "."), "ch": (".", "'")}[style]
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{f'{whole:,}'.replace(',', separator)}{point}{rest:02d}"
