"""Tiles of very long or wide pictures (chat screenshots, panoramas), and the text that lies across them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from indexer.ocr.reading_order import Rect
from indexer.ocr.text_tracking import OcrSettings, Reading, order_readings, read_rects
from indexer.ports import OcrEngine
from indexer.types import Box, Origin, Pixels, TextLine

_MAX_ASPECT_RATIO = 2.5
"""Chosen: a picture more oblong than this is read in tiles; screens of phones (2.2) are still one picture."""
_OVERLAP_SHARE = 0.125
"""Chosen: share of a tile that the next one shows too: 200 of 1600 pixels, more than a line of text is high."""
_MAX_TILES = 64
"""Chosen: tiles of one picture, each of which costs as much as a page; a longer picture is reduced to fit."""
_SAME_LINE_OVERLAP = 0.5
"""Chosen: share of the smaller box that two readings of one line have in common; lines apart have nothing."""


@dataclass(frozen=True, slots=True)
class TilePlan:
    """How a picture is read in tiles: the size (width, height) it is reduced to, and the tiles as boxes of the whole.

    Tiles are in order, from the top or from the left, and overlap.
    """

    size: tuple[int, int]
    boxes: tuple[Box, ...]


def plan_tiles(width: int, height: int, tile_px: int) -> TilePlan | None:
    """Return the tiles of a picture, each at most `tile_px` on both sides; None where it is read as one."""
    long, short = max(width, height), min(width, height)
    if long <= tile_px or long <= _MAX_ASPECT_RATIO * short:
        return None
    step = tile_px * (1 - _OVERLAP_SHARE)
    scale = min(1.0, tile_px / short, _MAX_TILES * step / long)
    reduced = max(tile_px, round(long * scale))
    count = max(1, math.ceil((reduced - tile_px) / step) + 1)
    starts = [(reduced - tile_px) * i / max(1, count - 1) for i in range(count)]
    spans = [(start / reduced, (start + tile_px) / reduced) for start in starts]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if height >= width:
        return TilePlan((size[0], reduced), tuple(Box(0.0, y0, 1.0, min(1.0, y1)) for y0, y1 in spans))
    return TilePlan((reduced, size[1]), tuple(Box(x0, 0.0, min(1.0, x1), 1.0) for x0, x1 in spans))


class TileReader:
    """Reader of the text of a picture tile by tile; boxes of its lines are fractions of the whole picture."""

    def __init__(self, engine: OcrEngine, plan: TilePlan, settings: OcrSettings | None = None) -> None:
        self._engine, self._plan, self._settings = engine, plan, settings or OcrSettings()
        self._readings: list[Reading] = []
        self._last: list[Reading] = []

    def add(self, box: Box, rgb: Pixels) -> None:
        """Read the next tile, which is the part `box` of the whole."""
        left, top = round(box.x0 * self._plan.size[0]), round(box.y0 * self._plan.size[1])
        own = [
            replace(reading, rect=_move(reading.rect, left, top))
            for reading in read_rects(self._engine, rgb, self._settings)
        ]
        self._readings = _merge(self._readings, self._last, own)
        self._last = own

    def lines(self, origin: Origin = Origin.OCR) -> list[TextLine]:
        """Return the lines of all tiles in reading order, each once."""
        return order_readings(self._readings, *self._plan.size, origin)


def _merge(readings: Sequence[Reading], last: Sequence[Reading], own: Sequence[Reading]) -> list[Reading]:
    """Return the lines so far and those of the next tile; of a line that both tiles show, the more complete reading."""
    kept = {id(reading): reading for reading in readings}
    for new in own:
        same = [old for old in last if id(old) in kept and _is_same_line(old.rect, new.rect)]
        if not same:
            kept[id(new)] = new
        elif all(_completeness(new) > _completeness(old) for old in same):
            for old in same:
                del kept[id(old)]
            kept[id(new)] = new
    return list(kept.values())


def _is_same_line(old: Rect, new: Rect) -> bool:
    return old.intersection_area(new) > _SAME_LINE_OVERLAP * min(old.area, new.area)


def _completeness(reading: Reading) -> tuple[int, float]:
    return len(reading.text), reading.confidence


def _move(rect: Rect, right: int, down: int) -> Rect:
    return Rect(rect.x0 + right, rect.y0 + down, rect.x1 + right, rect.y1 + down)
