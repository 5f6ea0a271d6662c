"""Change detection: the regions of a video frame that changed since their text was last read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.ocr.reading_order import Rect
from indexer.types import Pixels

_LUMA_WEIGHTS = tuple(np.int16(weight) for weight in (1, 2, 1))  # Chosen: rough luma of R, G, B in integers, for speed


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """Thresholds of change, tolerant of compression noise.

    Pictures are compared at a longer side of about `working_side_px` pixels, in tiles of `tile_px` of those.
    """

    working_side_px: int = 400
    """Chosen: small text still changes several pixels; larger pictures cost time."""
    tile_px: int = 8
    """Chosen: about a line of small text; larger tiles re-read more than has changed, smaller ones fragment it."""
    min_difference: int = 24
    """Chosen: change of luma, of 255, that counts; lower counts compression noise, higher misses faint text."""
    min_changed_pixels: int = 3
    """Chosen: changed pixels that make a tile changed; fewer would be noise, more would miss a changed digit."""
    margin_tiles: int = 2
    """Measured: a text box is larger than its ink; of 104 large titles on a still ground 1 tile cuts off 3, 2 none."""
    max_changed_share: float = 0.25
    """Chosen: above this share of changed area the whole picture is read, which then costs less than its parts."""
    max_regions: int = 12
    """Chosen: above this number of regions the whole picture is read, which then costs less than its parts."""


class ChangeDetector:
    """Change detector; each place is compared with its look when it was last read, so that slow change adds up."""

    def __init__(self, settings: ChangeSettings) -> None:
        self._settings = settings
        self._reference: NDArray[np.int16] | None = None
        self._current: NDArray[np.int16] = np.zeros((0, 0), dtype=np.int16)
        self._step = 1

    def detect(self, rgb: Pixels) -> list[Rect]:
        """Return disjoint regions that have changed, with a margin on all sides, from top to bottom.

        The first picture, and one of another size, is one region.
        """
        height, width = rgb.shape[:2]
        self._step = max(1, round(max(height, width) / self._settings.working_side_px))
        self._current = _downsample_luma(rgb, self._step)
        if self._reference is None or self._reference.shape != self._current.shape:
            self._reference = None
            return [Rect(0, 0, width, height)]
        tiles = self._changed_tiles(self._reference)
        if not tiles.any():
            return []
        for _ in range(self._settings.margin_tiles):
            tiles = _dilate(tiles)
        regions = [self._to_pixels(rect, width, height) for rect in _connected_components(tiles)]
        return simplify_regions(regions, Rect(0, 0, width, height), self._settings)

    def mark_read(self, regions: Iterable[Rect]) -> None:
        """Record that regions of the last frame have been read: later frames are compared with how they look now."""
        if self._reference is None:
            self._reference = self._current.copy()
        for rect in regions:
            rows = slice(-(-rect.y0 // self._step), -(-rect.y1 // self._step))
            columns = slice(-(-rect.x0 // self._step), -(-rect.x1 // self._step))
            self._reference[rows, columns] = self._current[rows, columns]

    def _changed_tiles(self, reference: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Return which tiles have changed, `[rows, columns]`."""
        tile = self._settings.tile_px
        differs = np.abs(self._current - reference) > self._settings.min_difference
        height, width = differs.shape
        padded = np.pad(differs, ((0, -height % tile), (0, -width % tile)))
        counts = padded.reshape(padded.shape[0] // tile, tile, padded.shape[1] // tile, tile).sum(axis=(1, 3))
        return np.asarray(counts >= self._settings.min_changed_pixels)

    def _to_pixels(self, tiles: Rect, width: int, height: int) -> Rect:
        """Convert a rectangle of tiles to pixels of the frame."""
        side = self._settings.tile_px * self._step
        return Rect(tiles.x0 * side, tiles.y0 * side, min(width, tiles.x1 * side), min(height, tiles.y1 * side))


def simplify_regions(regions: Sequence[Rect], whole: Rect, settings: ChangeSettings) -> list[Rect]:
    """Merge regions that overlap; return the whole picture where they are too many or too large."""
    merged = list(regions) if len(regions) <= settings.max_regions else [whole]
    for i in range(len(merged)):
        for j in range(i + 1, len(merged)):
            if merged[i].intersection_area(merged[j]):
                others = [rect for k, rect in enumerate(merged) if k not in (i, j)]
                return simplify_regions([*others, merged[i].union(merged[j])], whole, settings)
    if sum(rect.area for rect in merged) > settings.max_changed_share * whole.area:
        return [whole]
    return sorted(merged, key=lambda rect: (rect.y0, rect.x0))


def _downsample_luma(rgb: Pixels, step: int) -> NDArray[np.int16]:
    """Return a reduced luma: each pixel averages four of a `step` square, one from each quarter of rows and columns."""
    quarters = [step * quarter // 4 for quarter in range(4)]
    height, width = (-(-side // step) for side in rgb.shape[:2])
    luma: NDArray[np.int16] = np.zeros((height, width), dtype=np.int16)
    for down, across in zip(quarters, (quarters[i] for i in (1, 3, 0, 2)), strict=True):
        rows = rgb[down::step]
        for channel, weight in enumerate(_LUMA_WEIGHTS):
            samples = rows[:, across::step, channel]
            luma[: samples.shape[0], : samples.shape[1]] += samples * weight
    return luma >> 4


def _dilate(tiles: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask grown by one tile in all eight directions."""
    padded = np.pad(tiles, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    return rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]


def _connected_components(tiles: NDArray[np.bool_]) -> list[Rect]:
    """Return the bounding rectangles, in tiles, of the 4-connected components of a mask."""
    remaining = {(int(y), int(x)) for y, x in np.argwhere(tiles)}
    rects: list[Rect] = []
    while remaining:
        edge = [remaining.pop()]
        members = list(edge)
        while edge:
            y, x = edge.pop()
            neighbours = remaining & {(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)}
            remaining -= neighbours
            edge += neighbours
            members += neighbours
        rows, columns = zip(*members, strict=True)
        rects.append(Rect(min(columns), min(rows), max(columns) + 1, max(rows) + 1))
    return rects
