"""Decoding of image files to upright RGB: Pillow, with HEIC by pillow-heif; TIFFs and raw photos in parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from indexer.errors import LimitExceeded
from indexer.media.image_file import open_image
from indexer.media.image_metadata import read_metadata
from indexer.media.sandbox.limits import MediaLimits
from indexer.types import AssetKind, Box, MediaInfo, Pixels

_DEFAULT_MAX_PIXELS = MediaLimits().max_image_pixels
_MEGAPIXEL = 1_000_000  # Form: a unit for messages


def probe_image(path: Path, max_pixels: int) -> MediaInfo:
    """Return the metadata of an image file from its header, without decoding pixels.

    Width and height are those of the upright picture; `taken_at` is the best of the dates that the file has; a time
    without an offset is read as UTC. Errors: UnsupportedMedia where no decoder knows the format or its kind,
    DamagedMedia where one does and the header is broken, LimitExceeded above `max_pixels`, SourceNotFound.
    """
    with open_image(path) as image:
        width, height = image.size
        _check_pixel_limit(path, width, height, max_pixels)
        metadata = read_metadata(image.exif, image.info)
        return MediaInfo(
            AssetKind.IMAGE,
            image.format,
            width,
            height,
            taken_at=None if metadata.date is None else metadata.date.time,
            warnings=image.warnings,
            date_source="" if metadata.date is None else metadata.date.source,
            metadata=metadata.lines,
        )


def read_image(path: Path, max_px: int, max_pixels: int = _DEFAULT_MAX_PIXELS) -> Pixels:
    """Decode the picture of an image file: upright RGB, transparency on a plain ground, never enlarged.

    The longer side is at most `max_px` pixels. Errors: those of `probe_image`, before any pixel is decoded;
    DamagedMedia where the pixels are truncated or corrupt.
    """
    with open_image(path) as image:
        _check_pixel_limit(path, *image.size, max_pixels)
        return _to_pixels(image.decode(fit_size(image.size, max_px)))


def read_tiles(path: Path, boxes: list[Box], size: tuple[int, int]) -> Iterator[Pixels]:
    """Yield the parts `boxes` of a picture that is decoded once and reduced to `size` (width, height), upright RGB.

    Errors: those of `read_image`.
    """
    with open_image(path) as image:
        picture = image.decode(size)
    width, height = picture.size
    for box in boxes:
        left, top = round(box.x0 * width), round(box.y0 * height)
        right, bottom = max(left + 1, round(box.x1 * width)), max(top + 1, round(box.y1 * height))
        yield _to_pixels(picture.crop((left, top, right, bottom)))


def fit_size(size: tuple[int, int], max_px: int) -> tuple[int, int]:
    """Reduce `(width, height)` in proportion until the longer side is at most `max_px`; never enlarge."""
    scale = max_px / max(size)
    return size if scale >= 1 else (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))


def _to_pixels(picture: Image.Image) -> Pixels:
    return np.ascontiguousarray(np.asarray(picture, dtype=np.uint8))


def _check_pixel_limit(path: Path, width: int, height: int, max_pixels: int) -> None:
    """Raise LimitExceeded where the image has more than `max_pixels` pixels."""
    if width * height > max_pixels:
        limit = f"{max_pixels / _MEGAPIXEL:g} megapixels"
        raise LimitExceeded(str(path), f"{width} x {height} pixels, over the limit of {limit}")
