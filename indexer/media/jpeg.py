"""Our own pictures as JPEG: key frames to store, evidence to show. Never for files from outside (see image.py)."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from indexer.types import Box, Pixels

_QUALITY = 85
_BOX_COLOUR = (230, 30, 60)
_CELL_PX, _GAP_PX, _LINE_PX, _FONT_PX = 240, 8, 26, 17
"""Of a contact sheet: width of a picture, space around it, height of the line below it and of its letters."""


def encode_jpeg(rgb: Pixels, max_px: int) -> bytes:
    """A JPEG whose longer side is at most `max_px`; smaller pictures keep their size."""
    picture = Image.fromarray(rgb)
    picture.thumbnail((max_px, max_px), Image.Resampling.BILINEAR, reducing_gap=1.5)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def decode_jpeg(data: bytes) -> Pixels:
    """The pixels of a JPEG that `encode_jpeg` made."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def draw_boxes(data: bytes, boxes: Sequence[Box]) -> bytes:
    """The JPEG with rectangles drawn around `boxes`."""
    picture = Image.fromarray(decode_jpeg(data))
    pen = ImageDraw.Draw(picture)
    width, height = picture.size
    for box in boxes:
        corners = (box.x0 * width - 3, box.y0 * height - 3, box.x1 * width + 3, box.y1 * height + 3)
        pen.rectangle(corners, outline=_BOX_COLOUR, width=max(2, width // 200))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY + 5)
    return buffer.getvalue()


def contact_sheet(pictures: Sequence[bytes], labels: Sequence[str]) -> bytes:
    """JPEGs of one shape on one sheet, row by row, about as many across as down, each with a line of text below it."""
    first = Image.fromarray(decode_jpeg(pictures[0]))
    height = max(1, round(_CELL_PX * first.height / first.width))
    columns = math.ceil(math.sqrt(len(pictures) * (height + _LINE_PX) / _CELL_PX))
    across, down = _CELL_PX + _GAP_PX, height + _LINE_PX + _GAP_PX
    size = (columns * across + _GAP_PX, math.ceil(len(pictures) / columns) * down + _GAP_PX)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_PX)
    for number, (data, label) in enumerate(zip(pictures, labels, strict=True)):
        left, top = _GAP_PX + number % columns * across, _GAP_PX + number // columns * down
        sheet.paste(Image.fromarray(decode_jpeg(data)).resize((_CELL_PX, height)), (left, top))
        said = label.replace("–", "-")  # the font that Pillow carries has no other dash
        pen.text((left + 2, top + height + 3), said, fill="black", font=font)
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
