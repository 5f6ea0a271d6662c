"""Regions of a page that look like text and that no line of its text layer covers: scans, figures, drawn letters.

Text is many strong edges side by side: strokes of letters along a line. Rules, frames and plain areas have few.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.types import Box, Pixels

_STEPS = (2, 3, 5)
"""Chosen: pixels from one looked-at pixel to the next: print of 7 to 15 points is seen in the first pass, headings and
slides up to 40 points in the others, whose tiles are as much larger."""
_EDGE_CONTRAST = 32
"""Chosen: an edge is a step of this much of 255 between neighbours; less would count the noise of scans."""
_TILE_PX = 8  # Chosen: tiles of this many looked-at pixels, about a line of small print
_MIN_TILE_EDGES = 10
"""Chosen: edges of a tile with text, of 64; a single vertical rule has 8 to 16 and is excluded by the next rule."""
_MIN_RUN_TILES = 4
"""Chosen: textual tiles side by side; fewer are rules and icons, and words of less than about four letters."""
_MIN_REGION_TILES = 8
"""Chosen: textual tiles of a region; fewer are a mark or a small logo, not worth a run of OCR."""
_MARGIN_TILES = (4, 2)
"""Chosen: columns and rows around a region that belong to it, for short words at its edges; text of the layer that it
takes in is recognised by its place, and dropped."""
_LINE_MARGIN = 3  # Chosen: looked-at pixels around a line of text that belong to it: accents, underlines, shadows
_MAX_REGIONS = 12
"""Chosen: more regions are read as the one that holds them all, which then costs less."""


def find_unread_regions(rgb: Pixels, covered: Sequence[Box]) -> tuple[Box, ...]:
    """Return the regions of a page's picture that look like text outside of the boxes of its lines, from top to bottom.

    Regions do not overlap. Boxes are fractions of the picture.
    """
    regions = _merge_overlapping([region for step in _STEPS for region in _regions_at(rgb, covered, step)])
    if len(regions) > _MAX_REGIONS:
        regions = [_union(regions)]
    height, width = rgb.shape[:2]
    boxes = [Box(x0 / width, y0 / height, min(1.0, x1 / width), min(1.0, y1 / height)) for x0, y0, x1, y1 in regions]
    return tuple(sorted(boxes, key=lambda box: (box.y0, box.x0)))


def _regions_at(rgb: Pixels, covered: Sequence[Box], step: int) -> list[tuple[int, int, int, int]]:
    """Return the regions, in pixels, that look like text when only one in `step` pixels is looked at."""
    tiles = _textual_tiles(_edges_outside(rgb, covered, step))
    side = _TILE_PX * step
    return [
        (x0 * side, y0 * side, x1 * side, y1 * side)
        for (x0, y0, x1, y1), count in _components(tiles)
        if count >= _MIN_REGION_TILES
    ]


def _edges_outside(rgb: Pixels, covered: Sequence[Box], step: int) -> NDArray[np.bool_]:
    """Return where neighbours along a row differ strongly, outside of boxes, in looked-at pixels."""
    grey = rgb[::step, ::step].mean(axis=2).astype(np.int16)
    edges: NDArray[np.bool_] = np.abs(np.diff(grey, axis=1, append=grey[:, -1:])) > _EDGE_CONTRAST
    height, width = edges.shape
    for box in covered:
        rows = slice(max(0, int(box.y0 * height) - _LINE_MARGIN), int(box.y1 * height) + 1 + _LINE_MARGIN)
        columns = slice(max(0, int(box.x0 * width) - _LINE_MARGIN), int(box.x1 * width) + 1 + _LINE_MARGIN)
        edges[rows, columns] = False
    return edges


def _textual_tiles(edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which tiles look like text, `[rows, columns]`: those with many edges, several side by side."""
    height, width = edges.shape
    padded = np.pad(edges, ((0, -height % _TILE_PX), (0, -width % _TILE_PX)))
    rows, columns = padded.shape[0] // _TILE_PX, padded.shape[1] // _TILE_PX
    counts = padded.reshape(rows, _TILE_PX, columns, _TILE_PX).sum(axis=(1, 3))
    dense = np.pad(counts >= _MIN_TILE_EDGES, ((0, 0), (_MIN_RUN_TILES - 1, _MIN_RUN_TILES - 1)))
    begins = np.ones((rows, columns + _MIN_RUN_TILES - 1), np.bool_)
    for shift in range(_MIN_RUN_TILES):
        begins &= dense[:, shift : shift + begins.shape[1]]
    runs = np.zeros((rows, columns), np.bool_)
    for shift in range(_MIN_RUN_TILES):
        runs |= begins[:, shift : shift + columns]
    return runs


def _components(tiles: NDArray[np.bool_]) -> list[tuple[tuple[int, int, int, int], int]]:
    """Return the bounds of groups of tiles, with their margins, and their sizes."""
    across, down = _MARGIN_TILES
    return [
        ((max(0, x0 - across), max(0, y0 - down), x1 + across, y1 + down), size)
        for (x0, y0, x1, y1), size in group_tiles(tiles)
    ]


def group_tiles(tiles: NDArray[np.bool_]) -> list[tuple[tuple[int, int, int, int], int]]:
    """Return the bounds (left, top, right, bottom) of groups of tiles a tile apart at most, and their sizes."""
    remaining = {(int(y), int(x)) for y, x in np.argwhere(tiles)}
    groups = []
    while remaining:
        edge = [remaining.pop()]
        members = list(edge)
        while edge:
            y, x = edge.pop()
            near = {(y + dy, x + dx) for dy in range(-2, 3) for dx in range(-2, 3)} & remaining
            remaining -= near
            edge += near
            members += near
        ys, xs = zip(*members, strict=True)
        groups.append(((min(xs), min(ys), max(xs) + 1, max(ys) + 1), len(members)))
    return groups


def _merge_overlapping(regions: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Return regions with those that overlap united."""
    merged: list[tuple[int, int, int, int]] = []
    for region in regions:
        overlapping = [other for other in merged if _overlap(region, other)]
        while overlapping:
            merged = [other for other in merged if other not in overlapping]
            region = _union([region, *overlapping])
            overlapping = [other for other in merged if _overlap(region, other)]
        merged.append(region)
    return merged


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    """Return True if two rectangles share a pixel."""
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def _union(regions: list[tuple[int, int, int, int]]) -> tuple[int, int, int, int]:
    """Return the bounding rectangle of rectangles."""
    x0, y0, x1, y1 = zip(*regions, strict=True)
    return min(x0), min(y0), max(x1), max(y1)
