"""A drawing canvas that records the bounding box of every text written on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from indexer.types import Box


@dataclass(frozen=True, slots=True)
class TextBox:
    """A text and its bounding box, in pixels (points on a PDF page), y downwards."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    def normalize(self, width: float, height: float) -> Box:
        """Return the box as fractions of a picture of that size, clipped at its edges."""
        left, right = max(0.0, self.left / width), min(1.0, self.right / width)
        top, bottom = max(0.0, self.top / height), min(1.0, self.bottom / height)
        return Box(round(left, 4), round(top, 4), round(right, 4), round(bottom, 4))


def enclose(text: str, parts: Sequence[TextBox]) -> TextBox:
    """Return one text box around several parts."""
    return TextBox(
        text,
        min(part.left for part in parts),
        min(part.top for part in parts),
        max(part.right for part in parts),
        max(part.bottom for part in parts),
    )


@cache
def load_built_in_font(size: int) -> ImageFont.FreeTypeFont:
    """Load the font that Pillow ships, so that no system font is needed. Errors: TypeError without FreeType."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType; its built-in font cannot be scaled")
    return font


class TextCanvas:
    """A picture to draw on; `text_boxes` lists its texts in the order in which they were written."""

    def __init__(self, size: tuple[int, int], colour: str) -> None:
        self.image = Image.new("RGB", size, colour)
        self.draw = ImageDraw.Draw(self.image)
        self.text_boxes: list[TextBox] = []

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.image.width

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.image.height

    def write_line(self, text: str, at: tuple[float, float], size: int, colour: str, anchor: str = "la") -> TextBox:
        """Write one line; `anchor` is Pillow's: `la` left and top, `ma` centred, `ra` right."""
        words = self._draw_text(text, at, size, colour, anchor)
        self.text_boxes.append(words)
        return words

    def write_row(self, cells: Sequence[str], xs: Sequence[float], y: float, size: int, colour: str) -> TextBox:
        """Write the cells of one table row at the given left edges, as one text box."""
        parts = [self._draw_text(cell, (x, y), size, colour, "la") for cell, x in zip(cells, xs, strict=True)]
        self.text_boxes.append(enclose("  ".join(cells), parts))
        return self.text_boxes[-1]

    def write_paragraph(self, text: str, at: tuple[float, float], width: float, size: int, colour: str) -> TextBox:
        """Write text wrapped to `width` pixels, as one text box."""
        x, y = at
        parts = [
            self._draw_text(line, (x, y + number * size * 1.5), size, colour, "la")
            for number, line in enumerate(wrap_text(text, size, width))
        ]
        self.text_boxes.append(enclose(text, parts))
        return self.text_boxes[-1]

    def _draw_text(self, text: str, at: tuple[float, float], size: int, colour: str, anchor: str) -> TextBox:
        stroke = size // 40
        font = load_built_in_font(size)
        self.draw.text(at, text, fill=colour, font=font, anchor=anchor, stroke_width=stroke)
        left, top, right, bottom = self.draw.textbbox(at, text, font=font, anchor=anchor, stroke_width=stroke)
        return TextBox(text, left, top, right, bottom)


def wrap_text(text: str, size: int, width: float) -> Iterator[str]:
    """Yield the lines of a text in the built-in font, none wider than `width` pixels unless a single word is."""
    font = load_built_in_font(size)
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > width:
            yield line
            longer = word
        line = longer
    if line:
        yield line
