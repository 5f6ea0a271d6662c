"""Photographs of sheets: in perspective on a table, with a shadow, a little blurred, as JPEG."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from benchmarks.real_documents.drawing.scanning import add_light_and_noise

PHOTO_SIDE_PX = 2400
"""Chosen: a sheet that fills a picture of four megapixels, which telephones send on."""

_MARGIN = 0.06
"""Chosen: share of the picture around the sheet."""

_MAX_SHIFT = 0.035
"""Chosen: share of the sheet that its corners move by: a telephone held by hand, not quite from above."""

_JPEG_QUALITY = 82
"""Chosen: what telephones save."""

_Point = tuple[float, float]


def make_photo(page: Image.Image, seed: int) -> bytes:
    """Return a JPEG file of a sheet on a table, from a page rendered with a longer side of `PHOTO_SIDE_PX`."""
    rng = np.random.default_rng(seed)
    page = page.convert("RGB")
    width, height = page.size
    size = round(width * (1 + 2 * _MARGIN)), round(height * (1 + 2 * _MARGIN))
    corners = _shift_corners(width, height, rng)
    sheet = page.transform(
        size, Image.Transform.PERSPECTIVE, _solve_perspective(corners, width, height), Image.Resampling.BICUBIC
    )
    mask = Image.new("L", page.size, 255).transform(
        size, Image.Transform.PERSPECTIVE, _solve_perspective(corners, width, height), Image.Resampling.BICUBIC
    )
    picture = _make_table(size, rng)
    shadow = mask.filter(ImageFilter.GaussianBlur(18))
    picture.paste((30, 26, 24), (14, 18), shadow.point(lambda value: value * 0.5))
    picture.paste(sheet, (0, 0), mask)
    picture = _cast_shadow(picture, rng)
    picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 1.0))))
    picture = add_light_and_noise(picture, rng, shade=float(rng.uniform(0.1, 0.3)), noise=float(rng.uniform(2, 6)))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def _shift_corners(width: int, height: int, rng: np.random.Generator) -> list[_Point]:
    """Return where the corners of the sheet lie in the picture, clockwise from the upper left."""
    margin_x, margin_y = width * _MARGIN, height * _MARGIN
    plain = [(0, 0), (width, 0), (width, height), (0, height)]
    shifts = rng.uniform(-_MAX_SHIFT, _MAX_SHIFT, (4, 2))
    return [
        (margin_x + x + float(dx) * width, margin_y + y + float(dy) * height)
        for (x, y), (dx, dy) in zip(plain, shifts, strict=True)
    ]


def _solve_perspective(corners: list[_Point], width: int, height: int) -> list[float]:
    """Return Pillow's eight coefficients, which take a point of the picture to one of the page."""
    rows: list[list[float]] = []
    values: list[float] = []
    for (x, y), (u, v) in zip(corners, [(0, 0), (width, 0), (width, height), (0, height)], strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
        values.extend((u, v))
    solved: NDArray[np.float64] = np.linalg.solve(np.array(rows), np.array(values))
    return [float(value) for value in solved]


def _make_table(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Return the top of a wooden table: stripes of a brown."""
    width, height = size
    grain = np.cumsum(rng.normal(0, 1.2, width))
    grain = 14 * np.tanh((grain - grain.mean()) / 12)
    color = np.array([118, 92, 70]) + rng.integers(-18, 18, 3)
    pixels = np.broadcast_to(color + grain[:, None], (height, width, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _cast_shadow(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return a picture with the soft shadow of whoever holds the telephone over a corner of it."""
    width, height = picture.size
    ys, xs = np.mgrid[0:height:8, 0:width:8]
    x, y = rng.choice([0.0, 1.0]) * width, rng.uniform(0.3, 1.0) * height
    distance = np.hypot((xs - x) / width, (ys - y) / height)
    depth = 0.35 / (1 + np.exp((distance - rng.uniform(0.3, 0.55)) * 14))
    shade = Image.fromarray((255 * (1 - depth)).astype(np.uint8)).resize(picture.size, Image.Resampling.BICUBIC)
    pixels = np.asarray(picture, dtype=np.float32) * (np.asarray(shade, dtype=np.float32) / 255)[..., None]
    return Image.fromarray(pixels.astype(np.uint8))
