"""JPEG encoding and rendering of our own pictures: stored key frames and shown evidence.

Never for files from outside, which image.py decodes in the sandbox.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from indexer.errors import ArtifactError
from indexer.types import Box, Pixels

_QUALITY = 85
"""Chosen: artifacts are hard to see; higher values cost disk and bandwidth."""
_BOX_COLOUR = (230, 30, 60)  # Form: a red that stands out
_CELL_PX, _GAP_PX, _LABEL_PX, _FONT_PX = 240, 8, 26, 17
"""Contact sheet: width of a picture, space around it, height of its label and of the letters. Form: drawing only."""


def encode_jpeg(rgb: Pixels, max_px: int) -> bytes:
    """Encode RGB pixels as JPEG, the longer side reduced to at most `max_px`."""
    picture = Image.fromarray(rgb)
    picture.thumbnail((max_px, max_px), Image.Resampling.BILINEAR, reducing_gap=1.5)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def decode_jpeg(data: bytes) -> Pixels:
    """Decode a JPEG that `encode_jpeg` made, as RGB `[height, width, 3]`."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def render(data: bytes, max_px: int | None, webp: bool) -> bytes:
    """Return a stored JPEG as JPEG or WebP, its longer side at most `max_px`.

    The stored bytes are returned where nothing has to change. Errors: ArtifactError where the bytes are no picture.
    """
    if not webp and (max_px is None or max(read_size(data)) <= max_px):
        return data
    buffer = io.BytesIO()
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            if max_px is not None:
                picture.thumbnail((max_px, max_px), Image.Resampling.BILINEAR, reducing_gap=2.0)
            picture.save(buffer, "WEBP" if webp else "JPEG", quality=_QUALITY)
    except OSError as error:
        raise ArtifactError(f"a stored picture is damaged ({error}); index its source again") from error
    return buffer.getvalue()


def pad_to_common_size(pictures: Sequence[bytes]) -> list[bytes]:
    """Pad JPEGs to one common size, in order: each is fitted into the largest width and height, the rest black.

    Pictures that have that size already are returned unchanged. Errors: ArtifactError where the bytes are no picture.
    """
    sizes = [read_size(data) for data in pictures]
    size = (max((width for width, _ in sizes), default=0), max((height for _, height in sizes), default=0))
    return [data if own == size else _pad_to(data, size) for data, own in zip(pictures, sizes, strict=True)]


def draw_boxes(data: bytes, boxes: Sequence[Box]) -> bytes:
    """Draw rectangles around `boxes` on a JPEG and return it as JPEG."""
    picture = Image.fromarray(decode_jpeg(data))
    pen = ImageDraw.Draw(picture)
    width, height = picture.size
    for box in boxes:
        corners = (box.x0 * width - 3, box.y0 * height - 3, box.x1 * width + 3, box.y1 * height + 3)
        pen.rectangle(corners, outline=_BOX_COLOUR, width=max(2, width // 200))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY + 5)
    return buffer.getvalue()


def draw_contact_sheet(pictures: Sequence[bytes], labels: Sequence[str]) -> bytes:
    """Arrange JPEGs of one shape on a contact sheet, about square, each with its label below; return a JPEG."""
    first = Image.fromarray(decode_jpeg(pictures[0]))
    height = max(1, round(_CELL_PX * first.height / first.width))
    columns = math.ceil(math.sqrt(len(pictures) * (height + _LABEL_PX) / _CELL_PX))
    across, down = _CELL_PX + _GAP_PX, height + _LABEL_PX + _GAP_PX
    size = (columns * across + _GAP_PX, math.ceil(len(pictures) / columns) * down + _GAP_PX)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_PX)
    for number, (data, label) in enumerate(zip(pictures, labels, strict=True)):
        left, top = _GAP_PX + number % columns * across, _GAP_PX + number // columns * down
        sheet.paste(Image.fromarray(decode_jpeg(data)).resize((_CELL_PX, height)), (left, top))
        ascii_label = label.replace("–", "-")  # the font that Pillow carries has no other dash
        pen.text((left + 2, top + height + 3), ascii_label, fill="black", font=font)
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def read_size(data: bytes) -> tuple[int, int]:
    """Return `(width, height)` of a JPEG from its header. Errors: ArtifactError."""
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            return picture.size
    except OSError as error:
        raise ArtifactError(f"a stored picture is damaged ({error}); index its source again") from error


def _pad_to(data: bytes, size: tuple[int, int]) -> bytes:
    """Fit a JPEG into `size` with black margins. Errors: ArtifactError."""
    buffer = io.BytesIO()
    try:
        with Image.open(io.BytesIO(data)) as picture:
            ImageOps.pad(picture.convert("RGB"), size).save(buffer, "JPEG", quality=_QUALITY)
    except OSError as error:
        raise ArtifactError(f"a stored picture is damaged ({error}); index its source again") from error
    return buffer.getvalue()
