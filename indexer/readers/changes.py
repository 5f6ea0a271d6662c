"""Where the picture of a video has changed since it was last looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.readers.reading_order import Rect
from indexer.types import Pixels

_LUMA = tuple(np.int16(weight) for weight in (1, 2, 1))


@dataclass(frozen=True, slots=True)
class ChangeRule:
    """When something has changed, tolerant to the noise of compression.

    Pictures are compared at a longer side of about `working_side` pixels, in tiles of `tile` of those. A tile has
    changed when at least `pixels` of its pixels differ by more than `difference` (of 255). Where more than
    `whole_share` of the picture is in changed regions, or they are more than `most_regions`, all of it has changed.
    """

    working_side: int = 400
    tile: int = 8
    difference: int = 24
    pixels: int = 3
    whole_share: float = 0.25
    most_regions: int = 12


class Changes:
    """Compares every frame with what was there when its place was last looked at, so that slow change adds up."""

    def __init__(self, rule: ChangeRule) -> None:
        self._rule = rule
        self._seen: NDArray[np.int16] | None = None
        self._now: NDArray[np.int16] = np.zeros((0, 0), dtype=np.int16)
        self._step = 1

    def regions(self, rgb: Pixels) -> list[Rect]:
        """Disjoint regions around what has changed, a tile wider on all sides, from top to bottom.

        The first picture, and one of another size, has changed as a whole.
        """
        height, width = rgb.shape[:2]
        self._step = max(1, round(max(height, width) / self._rule.working_side))
        self._now = _small(rgb, self._step)
        if self._seen is None or self._seen.shape != self._now.shape:
            self._seen = None
            return [Rect(0, 0, width, height)]
        tiles = self._changed_tiles(self._seen)
        if not tiles.any():
            return []
        found = [self._in_pixels(rect, width, height) for rect in _components(_grown(tiles))]
        return simplified(found, Rect(0, 0, width, height), self._rule)

    def looked(self, regions: Iterable[Rect]) -> None:
        """The regions of the last frame have been read: what is there now is what later frames are compared with."""
        if self._seen is None:
            self._seen = self._now.copy()
        for rect in regions:
            rows = slice(-(-rect.y0 // self._step), -(-rect.y1 // self._step))
            columns = slice(-(-rect.x0 // self._step), -(-rect.x1 // self._step))
            self._seen[rows, columns] = self._now[rows, columns]

    def _changed_tiles(self, seen: NDArray[np.int16]) -> NDArray[np.bool_]:
        tile = self._rule.tile
        differs = np.abs(self._now - seen) > self._rule.difference
        height, width = differs.shape
        padded = np.pad(differs, ((0, -height % tile), (0, -width % tile)))
        counts = padded.reshape(padded.shape[0] // tile, tile, padded.shape[1] // tile, tile).sum(axis=(1, 3))
        return np.asarray(counts >= self._rule.pixels)

    def _in_pixels(self, tiles: Rect, width: int, height: int) -> Rect:
        side = self._rule.tile * self._step
        return Rect(tiles.x0 * side, tiles.y0 * side, min(width, tiles.x1 * side), min(height, tiles.y1 * side))


def simplified(regions: Sequence[Rect], whole: Rect, rule: ChangeRule) -> list[Rect]:
    """The regions, those that overlap as one, or the whole picture where the rule has it so."""
    merged = list(regions) if len(regions) <= rule.most_regions else [whole]
    for i in range(len(merged)):
        for j in range(i + 1, len(merged)):
            if merged[i].intersection(merged[j]):
                rest = [rect for k, rect in enumerate(merged) if k not in (i, j)]
                return simplified([*rest, merged[i].union(merged[j])], whole, rule)
    if sum(rect.area for rect in merged) > rule.whole_share * whole.area:
        return [whole]
    return sorted(merged, key=lambda rect: (rect.y0, rect.x0))


def _small(rgb: Pixels, step: int) -> NDArray[np.int16]:
    """A small luma: each pixel is the mean of four in a square of `step`, no two in the same quarter of its rows."""
    quarters = [step * quarter // 4 for quarter in range(4)]
    height, width = (-(-side // step) for side in rgb.shape[:2])
    luma: NDArray[np.int16] = np.zeros((height, width), dtype=np.int16)
    for down, across in zip(quarters, (quarters[i] for i in (1, 3, 0, 2)), strict=True):
        rows = rgb[down::step]
        for channel, weight in enumerate(_LUMA):
            some = rows[:, across::step, channel]
            luma[: some.shape[0], : some.shape[1]] += some * weight
    return luma >> 4


def _grown(tiles: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.pad(tiles, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    return rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]


def _components(tiles: NDArray[np.bool_]) -> list[Rect]:
    waiting = {(int(y), int(x)) for y, x in np.argwhere(tiles)}
    found: list[Rect] = []
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
        found.append(Rect(min(columns), min(rows), max(columns) + 1, max(rows) + 1))
    return found
