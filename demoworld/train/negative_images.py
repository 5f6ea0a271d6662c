"""Negative images: noise, papers, boards and shapes, of which no text about the drawn world is true.

Without them a model that knows only its own world finds its dogs on any page of a letter.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from demoworld.canvas import load_built_in_font
from demoworld.train.open_clip_model import IMAGE_PX
from indexer.types import Pixels

POOL_SIZE = 2000
_SUPERSAMPLING = 4
_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789    .,:-"))


@lru_cache(maxsize=POOL_SIZE)
def render_negative_image(number: int) -> Pixels:
    """Render negative image `number`, `[96, 96, 3]`."""
    rng = np.random.default_rng([number, 99])
    side = IMAGE_PX * _SUPERSAMPLING
    picture = _render_noise(rng, side) if number % 4 == 0 else _render_background(rng, side)
    if number % 4 in (1, 2):
        _draw_text(picture, rng)
    if number % 4 in (2, 3):
        _draw_shapes(picture, rng)
    if rng.random() < 0.4:
        picture = picture.rotate(float(rng.uniform(-12, 12)), Image.Resampling.BICUBIC, fillcolor=_sample_colour(rng))
    return np.asarray(picture.reduce(_SUPERSAMPLING))


def _sample_colour(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = rng.integers(0, 256, 3).tolist()
    return red, green, blue


def _render_noise(rng: np.random.Generator, side: int) -> Image.Image:
    cells = int(2 ** rng.integers(1, 8))
    resampling = Image.Resampling.NEAREST if rng.random() < 0.4 else Image.Resampling.BICUBIC
    return Image.fromarray(rng.integers(0, 256, (cells, cells, 3), np.uint8)).resize((side, side), resampling)


def _render_background(rng: np.random.Generator, side: int) -> Image.Image:
    """Render white paper in half of the cases, else one or two colours."""
    if rng.random() < 0.5:
        level = int(rng.integers(215, 256))
        return Image.new("RGB", (side, side), (level, level, max(0, level - int(rng.integers(0, 30)))))
    ends = rng.integers(0, 256, (int(rng.integers(1, 3)), 1, 3), np.uint8)
    return Image.fromarray(ends).resize((side, side), Image.Resampling.BICUBIC)


def _draw_text(picture: Image.Image, rng: np.random.Generator) -> None:
    pen = ImageDraw.Draw(picture)
    size, y = int(rng.choice((12, 16, 24, 40, 64))), float(rng.uniform(0, 60))
    ink = (20, 20, 30) if rng.random() < 0.7 else _sample_colour(rng)
    left = float(rng.uniform(0, 60))
    while y < picture.height * rng.uniform(0.3, 1.2):
        line = "".join(rng.choice(_LETTERS, int(rng.integers(4, 60))))
        pen.text((left, y), line, ink, load_built_in_font(size))
        y += size * 1.5


def _draw_shapes(picture: Image.Image, rng: np.random.Generator) -> None:
    pen = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(1, 8))):
        (x0, x1), (y0, y1) = np.sort(rng.uniform(-40, picture.width + 40, (2, 2)), 1).tolist()
        draw = (pen.rectangle, pen.ellipse, pen.rounded_rectangle)[rng.integers(3)]
        draw(
            (x0, y0, x1, y1),
            fill=_sample_colour(rng) if rng.random() < 0.7 else None,
            outline=_sample_colour(rng),
            width=5,
        )
    if rng.random() < 0.3:
        picture.paste(picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(1, 8)))))
