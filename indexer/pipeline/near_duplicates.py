"""Which looked-at frames show something new; the others extend the segment that is open.

A frame's signature is its luma, averaged over a grid of tiles. Two frames are near-duplicates when hardly any tile
differs: compression noise and a blinking light do not make a segment, a thing that enters the picture does. Frames are
compared with the key frame of the open segment, not with their neighbour, so that slow change adds up and is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.types import Pixels

GRID_ROWS, GRID_COLUMNS = 36, 64


@dataclass(frozen=True, slots=True)
class NearDuplicateDetector:
    """The rule: tiles differ when their lumas are further apart than `tile_difference` (of 255); frames are
    near-duplicates when at most `changed_share` of the tiles differ."""

    tile_difference: float = 10.0
    changed_share: float = 0.002

    def is_near_duplicate(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> bool:
        """Whether two signatures are those of near-duplicates."""
        if a.shape != b.shape:
            return False
        changed = np.abs(a.astype(np.int16) - b.astype(np.int16)) > self.tile_difference
        return float(changed.mean()) <= self.changed_share


def compute_signature(rgb: Pixels) -> NDArray[np.uint8]:
    """The look of a frame: mean luma of each tile, `[36, 64]` uint8 (fewer for pictures smaller than that)."""
    step = max(1, min(rgb.shape[0] // GRID_ROWS, rgb.shape[1] // GRID_COLUMNS) // 4)
    luma = rgb[::step, ::step] @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    rows, columns = min(GRID_ROWS, luma.shape[0]), min(GRID_COLUMNS, luma.shape[1])
    down = np.add.reduceat(luma, np.linspace(0, luma.shape[0], rows, endpoint=False, dtype=np.intp), axis=0)
    tiles = np.add.reduceat(down, np.linspace(0, luma.shape[1], columns, endpoint=False, dtype=np.intp), axis=1)
    sizes = np.outer(_tile_lengths(luma.shape[0], rows), _tile_lengths(luma.shape[1], columns))
    return (tiles / sizes).astype(np.uint8)


def _tile_lengths(length: int, parts: int) -> NDArray[np.intp]:
    edges = np.append(np.linspace(0, length, parts, endpoint=False, dtype=np.intp), length)
    return np.diff(edges)
