"""Scans of pages: skewed, noisy, unevenly lit, stamped, compressed; a PDF file without a text layer."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from benchmarks.real_documents.bed import BedError

_MAX_SKEW_DEGREES = 2.0
"""Chosen: what a sheet that was laid down by hand has."""

_DPI_CHOICES = (150, 170, 200)
"""Chosen: the usual settings of office scanners for text."""

_MADE_AT = time.gmtime(0)
"""Form: the date in a scan's file, the same in each run, so that its bytes are."""

_JPEG_QUALITIES = (55, 85)
"""Chosen: from small files of a copier to a good scanner's."""

_BORDER_GREY = 235
"""Form: the lid of the scanner beside a skewed page."""

_STAMP_SIZE = (210, 64)
"""Form: pixels of a stamp at 150 dpi."""

_STAMP_RED, _STAMP_BLUE = (178, 30, 40), (40, 60, 150)
"""Form: the inks of stamps."""

_FREE_SHARE = 0.004
"""Chosen: a place counts as free where no more of it is dark, so that a stamp covers no text."""


def choose_dpi(seed: int) -> int:
    """Return the resolution at which a page is rendered for its scan."""
    return int(np.random.default_rng(seed).choice(_DPI_CHOICES))


def make_scan(pages: Sequence[Image.Image], seed: int, stamp: str = "") -> bytes:
    """Return a PDF file of scans of pages, rendered at `choose_dpi`, the first with a stamp where one is named."""
    rng, dpi = np.random.default_rng(seed), choose_dpi(seed)
    scans = []
    for number, page in enumerate(pages):
        page = page.convert("RGB")
        if stamp and number == 0:
            _draw_stamp(page, stamp, rng)
        scans.append(_scan_page(page, rng))
    buffer = io.BytesIO()
    quality = int(rng.integers(*_JPEG_QUALITIES))
    dates = {"creationDate": _MADE_AT, "modDate": _MADE_AT}
    scans[0].save(buffer, "PDF", save_all=True, append_images=scans[1:], resolution=dpi, quality=quality, **dates)
    return buffer.getvalue()


def add_light_and_noise(picture: Image.Image, rng: np.random.Generator, shade: float, noise: float) -> Image.Image:
    """Return a picture that is darker towards one side, with the noise of a sensor."""
    pixels = np.asarray(picture, dtype=np.float32)
    height, width = pixels.shape[:2]
    angle = rng.uniform(0, 2 * np.pi)
    ys, xs = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    slope = np.cos(angle) * xs + np.sin(angle) * ys
    light = 1 - shade * (slope + 1) / 2.8
    noisy = pixels * light[..., None] + rng.normal(0, noise, (height, width, 1))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def _scan_page(page: Image.Image, rng: np.random.Generator) -> Image.Image:
    skew = float(rng.uniform(-_MAX_SKEW_DEGREES, _MAX_SKEW_DEGREES))
    fill = (_BORDER_GREY,) * 3
    page = page.rotate(skew, Image.Resampling.BICUBIC, expand=False, fillcolor=fill)
    page = page.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.7))))
    page = add_light_and_noise(page, rng, shade=float(rng.uniform(0.05, 0.22)), noise=float(rng.uniform(3, 9)))
    return page.convert("L") if rng.random() < 0.5 else page


def _draw_stamp(page: Image.Image, text: str, rng: np.random.Generator) -> None:
    """Draw a rotated stamp over a free place of a page. Errors: BedError where there is none."""
    scale = page.width / 1240
    width, height = (round(side * scale) for side in _STAMP_SIZE)
    color = _STAMP_RED if rng.random() < 0.5 else _STAMP_BLUE
    stamp = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    drawing = ImageDraw.Draw(stamp)
    drawing.rectangle((3, 3, width - 4, height - 4), outline=(*color, 200), width=max(2, round(4 * scale)))
    font = ImageFont.load_default(size=round(26 * scale))
    drawing.text((width / 2, height / 2), text, fill=(*color, 200), anchor="mm", font=font)
    stamp = stamp.rotate(float(rng.uniform(-12, 12)), Image.Resampling.BICUBIC, expand=True)
    x, y = _find_free_place(np.asarray(page.convert("L")), stamp.size, rng)
    page.paste(stamp, (x, y), stamp)


def _find_free_place(grey: NDArray[np.uint8], size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
    """Return the corner of a random place of some size without dark pixels."""
    dark = np.pad((grey < 200).astype(np.int64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    width, height = size
    sums = dark[height:, width:] - dark[:-height, width:] - dark[height:, :-width] + dark[:-height, :-width]
    ys, xs = np.nonzero(sums <= _FREE_SHARE * width * height)
    if not len(ys):
        raise BedError("the page has no free place for a stamp")
    chosen = int(rng.integers(len(ys)))
    return int(xs[chosen]), int(ys[chosen])
