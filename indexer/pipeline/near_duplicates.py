"""Near-duplicate detection between sampled frames: a frame that differs from the key frame opens a new segment.

A frame's signature is its luma, averaged over a grid of tiles. Two frames are near-duplicates if hardly any tile
differs: compression noise or a blinking light opens no segment, an object that enters the picture does. Frames are
compared with the key frame of the open segment, not with their neighbour, so that slow change adds up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.types import Pixels

GRID_ROWS, GRID_COLUMNS = 36, 64
"""Chosen: tiles of 30 × 30 pixels at 1080p; smaller tiles see smaller objects, and more noise."""

_LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""Source: ITU-R BT.601, of red, green and blue."""


@dataclass(frozen=True, slots=True)
class NearDuplicateDetector:
    """Near-duplicate rule over two frame signatures. Its fields are part of an artifact's version."""

    tile_difference: float = 10.0
    """Luma difference, of 255, above which a tile counts as changed.

    Chosen: above compression noise; a higher value misses objects of little contrast."""

    changed_share: float = 0.002
    """Share of changed tiles up to which frames are near-duplicates.

    Chosen: 4 of 2304 tiles; a higher share misses small objects, a lower one makes more segments of one scene."""

    def is_near_duplicate(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> bool:
        """Return True if two signatures have the same shape and hardly any tile differs."""
        if a.shape != b.shape:
            return False
        changed = np.abs(a.astype(np.int16) - b.astype(np.int16)) > self.tile_difference
        return float(changed.mean()) <= self.changed_share


def compute_signature(rgb: Pixels) -> NDArray[np.uint8]:
    """Return a frame's signature: the mean luma of each tile, `[36, 64]` uint8 (fewer in smaller pictures)."""
    step = max(1, min(rgb.shape[0] // GRID_ROWS, rgb.shape[1] // GRID_COLUMNS) // 4)
    luma = rgb[::step, ::step] @ np.array(_LUMA_WEIGHTS, dtype=np.float32)
    rows, columns = min(GRID_ROWS, luma.shape[0]), min(GRID_COLUMNS, luma.shape[1])
    down = np.add.reduceat(luma, np.linspace(0, luma.shape[0], rows, endpoint=False, dtype=np.intp), axis=0)
    tiles = np.add.reduceat(down, np.linspace(0, luma.shape[1], columns, endpoint=False, dtype=np.intp), axis=1)
    sizes = np.outer(_tile_lengths(luma.shape[0], rows), _tile_lengths(luma.shape[1], columns))
    return (tiles / sizes).astype(np.uint8)


def _tile_lengths(length: int, parts: int) -> NDArray[np.intp]:
    edges = np.append(np.linspace(0, length, parts, endpoint=False, dtype=np.intp), length)
    return np.diff(edges)
