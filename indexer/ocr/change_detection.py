"""Where the picture of a video has changed since it was last looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.ocr.reading_order import Rect
from indexer.types import Pixels

_LUMA_WEIGHTS = tuple(np.int16(weight) for weight in (1, 2, 1))


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """When something has changed, tolerant to the noise of compression.

    Pictures are compared at a longer side of about `working_side` pixels, in tiles of `tile` of those. A tile has
    changed when at least `pixels` of its pixels differ by more than `difference` (of 255). Where more than
    `whole_share` of the picture is in changed regions, or they are more than `most_regions`, all of it has changed.
    """

    working_side_px: int = 400
    tile_px: int = 8
    min_difference: int = 24
    min_changed_pixels: int = 3
    max_changed_share: float = 0.25
    max_regions: int = 12


class ChangeDetector:
    """Compares every frame with what was there when its place was last looked at, so that slow change adds up."""

    def __init__(self, settings: ChangeSettings) -> None:
        self._settings = settings
        self._reference: NDArray[np.int16] | None = None
        self._current: NDArray[np.int16] = np.zeros((0, 0), dtype=np.int16)
        self._step = 1

    def detect(self, rgb: Pixels) -> list[Rect]:
        """Disjoint regions around what has changed, a tile wider on all sides, from top to bottom.

        The first picture, and one of another size, has changed as a whole.
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
        found = [self._to_pixels(rect, width, height) for rect in _connected_components(_dilate(tiles))]
        return simplify_regions(found, Rect(0, 0, width, height), self._settings)

    def mark_read(self, regions: Iterable[Rect]) -> None:
        """The regions of the last frame have been read: what is there now is what later frames are compared with."""
        if self._reference is None:
            self._reference = self._current.copy()
        for rect in regions:
            rows = slice(-(-rect.y0 // self._step), -(-rect.y1 // self._step))
            columns = slice(-(-rect.x0 // self._step), -(-rect.x1 // self._step))
            self._reference[rows, columns] = self._current[rows, columns]

    def _changed_tiles(self, reference: NDArray[np.int16]) -> NDArray[np.bool_]:
        tile = self._settings.tile_px
        differs = np.abs(self._current - reference) > self._settings.min_difference
        height, width = differs.shape
        padded = np.pad(differs, ((0, -height % tile), (0, -width % tile)))
        counts = padded.reshape(padded.shape[0] // tile, tile, padded.shape[1] // tile, tile).sum(axis=(1, 3))
        return np.asarray(counts >= self._settings.min_changed_pixels)

    def _to_pixels(self, tiles: Rect, width: int, height: int) -> Rect:
        side = self._settings.tile_px * self._step
        return Rect(tiles.x0 * side, tiles.y0 * side, min(width, tiles.x1 * side), min(height, tiles.y1 * side))


def simplify_regions(regions: Sequence[Rect], whole: Rect, settings: ChangeSettings) -> list[Rect]:
    """The regions, those that overlap as one, or the whole picture where the rule has it so."""
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
    """A small luma: each pixel is the mean of four in a square of `step`, no two in the same quarter of its rows."""
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
    padded = np.pad(tiles, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    return rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]


def _connected_components(tiles: NDArray[np.bool_]) -> list[Rect]:
    waiting = {(int(y), int(x)) for y, x in np.argwhere(tiles)}
    rects: list[Rect] = []
    while waiting:
        edge = [waiting.pop()]
        members = list(edge)
        while edge:
            y, x = edge.pop()
            beside = waiting & {(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)}
            waiting -= beside
            edge += beside
            members += beside
        rows, columns = zip(*members, strict=True)
        rects.append(Rect(min(columns), min(rows), max(columns) + 1, max(rows) + 1))
    return rects
