"""Drawing in fractions of a picture, so that a place looks the same at every size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]


class Brush:
    """Draws shapes on one picture; coordinates are fractions of width and height, y downwards."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self.width, self.height, self.rng = width, height, rng
        self.image = Image.new("RGB", (width, height))
        self._draw = ImageDraw.Draw(self.image)

    def vary(self, colour: Colour, max_change: int = 12) -> Colour:
        """Return a random colour near this one, each channel within `max_change` levels."""
        red, green, blue = (
            int(np.clip(level + self.rng.integers(-max_change, max_change + 1), 0, 255)) for level in colour
        )
        return red, green, blue

    def gradient(self, top: float, bottom: float, first: Colour, last: Colour) -> None:
        """Draw a band over the whole width that changes from one colour to another."""
        y0, y1 = round(top * self.height), round(bottom * self.height)
        shares = np.linspace(0, 1, max(1, y1 - y0))[:, None, None]
        band = np.array(first) * (1 - shares) + np.array(last) * shares
        rows = np.repeat(band, self.width, 1).astype(np.uint8)
        self.image.paste(Image.fromarray(rows), (0, y0))

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, fill: Colour) -> None:
        """Draw a filled rectangle."""
        self._draw.rectangle((*self._at(x0, y0), *self._at(x1, y1)), fill=fill)

    def ellipse(self, x: float, y: float, radius_x: float, radius_y: float, fill: Colour) -> None:
        """Draw a filled ellipse around `(x, y)`."""
        self._draw.ellipse((*self._at(x - radius_x, y - radius_y), *self._at(x + radius_x, y + radius_y)), fill=fill)

    def polygon(self, points: Sequence[tuple[float, float]], fill: Colour) -> None:
        """Draw a filled polygon."""
        self._draw.polygon([self._at(x, y) for x, y in points], fill=fill)

    def line(self, x0: float, y0: float, x1: float, y1: float, fill: Colour, thick: float = 0.01) -> None:
        """Draw a line; `thick` is a fraction of the height."""
        self._draw.line((*self._at(x0, y0), *self._at(x1, y1)), fill=fill, width=max(1, round(thick * self.height)))

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return x * self.width, y * self.height
