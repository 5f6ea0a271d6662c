"""Charts and diagrams of a page, by the lines that are drawn, and the labels that stand in and beside them.

Rules and frames are level or upright, so are those of tables. A chart or diagram has curves, slanted lines, or bars:
filled areas that begin at one line and end at different ones.
"""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

from indexer.media.pdf.text_rows import TextRow
from indexer.media.pdf.unread_ink import group_tiles
from indexer.text.list_markers import has_list_marker
from indexer.text.table_rows import is_caption

_MAX_OBJECTS = 20_000
"""Chosen: drawn objects looked at, those inside of others included; a plot of many points has thousands."""
_MAX_SEGMENTS = 64
"""Chosen: segments of a path that are looked at; a curve shows itself at once."""
_MAX_NESTING = 4
"""Chosen: objects in objects; an included figure is one, its parts are another."""
_CELL_POINTS = 6.0
"""Chosen: what is drawn within this distance, half a line, is one drawing."""
_MAX_CELLS = 1000
"""Chosen: cells along a page's longer side; a page of many metres is looked at more coarsely, in the same memory."""
_MAX_SHARE = 0.5
"""Chosen: what covers more of the page is its ground or frame."""
_MIN_SLANTED = 3
"""Chosen: curves and slanted lines of a drawing; fewer are a logo, a bullet or a rounded corner."""
_MIN_BARS = 3
"""Chosen: bars of a chart; two areas may begin at one line by chance."""
_MIN_SIDE_POINTS = 36.0
"""Chosen: half an inch; what is smaller is a symbol in the text."""
_LEVEL = 0.02
"""Chosen: slope of a line that is meant to be level or upright."""
_MIN_LENGTH_POINTS = 4.0
"""Chosen: shorter strokes are parts of arrowheads, corners and drawn letters."""
_REACH = 2.5
"""Chosen: heights of a line from a drawing to the labels of its axes; captions are as close, but longer."""
_MAX_WORDS_BESIDE, _MAX_WORDS_INSIDE = 2, 4
"""Chosen: words of a label beside a drawing, as those of its axes, and in it; rows of text have more."""
_LARGER = 1.3
"""Chosen: fragments higher than the usual one of a page by this factor are titles, as those of slides."""
_MAX_PROSE_SHARE = 0.5
"""Chosen: where more of the words in a drawing are in longer lines, it is a frame or ground of text."""


@dataclass(frozen=True, slots=True)
class _Path:
    """A drawn path: its bounds in points of the page (left, bottom, right, top), whether it is filled or slanted."""

    bounds: tuple[float, float, float, float]
    is_slanted: bool
    is_filled: bool


def find_drawings(page: pypdfium2.PdfPage) -> NDArray[np.float64]:
    """Return the bounds of charts and diagrams, `[drawings, 4]`: left, bottom, right, top in points of the page."""
    left, bottom, right, top = page.get_bbox()
    area = (right - left) * (top - bottom)
    paths = [path for path in _list_paths(page) if _area(path.bounds) <= _MAX_SHARE * area]
    if sum(path.is_slanted for path in paths) < _MIN_SLANTED and sum(path.is_filled for path in paths) < _MIN_BARS:
        return np.empty((0, 4))
    corner = np.array([left, bottom, left, bottom])
    bounds = np.array([path.bounds for path in paths]) - corner
    cell = max(_CELL_POINTS, (top - bottom) / _MAX_CELLS, (right - left) / _MAX_CELLS)
    size = (math.ceil((top - bottom) / cell) + 1, math.ceil((right - left) / cell) + 1)
    limits = np.array([size[1], size[0], size[1], size[0]]) - 1
    cells = np.clip(bounds / cell, 0, limits).astype(np.int64)
    tiles = np.zeros(size, np.bool_)
    for x0, y0, x1, y1 in cells:
        tiles[y0 : y1 + 1, x0 : x1 + 1] = True
    found = []
    for (x0, y0, x1, y1), _ in group_tiles(tiles):
        inside = (cells[:, 0] >= x0) & (cells[:, 2] < x1) & (cells[:, 1] >= y0) & (cells[:, 3] < y1)
        members = [paths[i] for i in np.flatnonzero(inside)]
        own = bounds[inside]
        region = np.concatenate([own[:, :2].min(axis=0), own[:, 2:].max(axis=0)]) + corner
        is_large = min(region[2] - region[0], region[3] - region[1]) >= _MIN_SIDE_POINTS
        if is_large and _area(region) <= _MAX_SHARE * area and _is_drawing(members):
            found.append(region)
    return np.array(found).reshape(-1, 4)


def split_labels(
    fragments: Sequence[TextRow], drawings: NDArray[np.float64]
) -> tuple[list[TextRow], list[list[TextRow]]]:
    """Return the fragments of a page that are text, and those that are labels of each of its drawings.

    `drawings` `[drawings, 4]` has left, top, right and bottom in the fragments' unit. A drawing that is the frame or
    ground of text has no labels; titles, captions and items of lists are none.
    """
    text, labels = list(fragments), list[list[TextRow]]()
    highest = _LARGER * median(part.height for part in fragments) if fragments else 0.0
    for x0, y0, x1, y1 in drawings.tolist():
        inside = [part for part in text if x0 <= (part.x0 + part.x1) / 2 <= x1 and y0 <= part.center_y <= y1]
        words = [len(part.text.split()) for part in inside]
        if sum(count for count in words if count > _MAX_WORDS_INSIDE) > _MAX_PROSE_SHARE * sum(words):
            continue
        beside = [part for part in text if part not in inside and _is_beside(part, (x0, y0, x1, y1))]
        own = [part for part in [*inside, *beside] if part.height <= highest and _may_be_label(part.text)]
        if own:
            labels.append(own)
            text = [part for part in text if part not in own]
    return text, labels


def _may_be_label(text: str) -> bool:
    """Return True if a fragment is no caption, no item of a list, and no end of a sentence."""
    return not (is_caption(text) or has_list_marker(text) or text.endswith((".", "。")))


def _is_beside(part: TextRow, drawing: tuple[float, float, float, float]) -> bool:
    """Return True if a fragment is a label of an axis: short, and close to an edge of a drawing."""
    x0, y0, x1, y1 = drawing
    reach = _REACH * part.height
    across = max(x0 - part.x1, part.x0 - x1, 0.0)
    down = max(y0 - part.y1, part.y0 - y1, 0.0)
    is_along = across == 0 or down == 0
    return is_along and across + down <= reach and len(part.text.split()) <= _MAX_WORDS_BESIDE


def _is_drawing(paths: Sequence[_Path]) -> bool:
    """Return True if paths that lie together have curves or slanted lines, or are bars of a chart."""
    if sum(path.is_slanted for path in paths) >= _MIN_SLANTED:
        return True
    filled = [path.bounds for path in paths if path.is_filled and min(_sides(path.bounds)) >= _MIN_LENGTH_POINTS]
    return any(_has_bars(filled, begin, end) for begin, end in ((1, 3), (0, 2)))


def _has_bars(areas: Sequence[tuple[float, float, float, float]], begin: int, end: int) -> bool:
    """Return True if several areas begin at one coordinate, and end at different ones."""
    starts = Counter(round(bounds[begin]) for bounds in areas)
    return any(
        len({round(bounds[end]) for bounds in areas if round(bounds[begin]) == start}) >= _MIN_BARS
        for start, count in starts.items()
        if count >= _MIN_BARS
    )


def _sides(bounds: Sequence[float]) -> tuple[float, float]:
    return bounds[2] - bounds[0], bounds[3] - bounds[1]


def _area(bounds: Sequence[float]) -> float:
    width, height = _sides(bounds)
    return width * height


# Paths of PDFium


def _list_paths(page: pypdfium2.PdfPage) -> Iterator[_Path]:
    """Yield the visible paths of a page, those of included figures too."""
    left = [_MAX_OBJECTS]
    for index in range(pdfium.FPDFPage_CountObjects(page)):
        yield from _walk(pdfium.FPDFPage_GetObject(page, index), np.eye(3), _MAX_NESTING, left)


def _walk(item: pdfium.FPDF_PAGEOBJECT, transform: NDArray[np.float64], depth: int, left: list[int]) -> Iterator[_Path]:
    """Yield the paths of an object in points of the page; `left` counts down the objects that are looked at."""
    if left[0] <= 0:
        return
    left[0] -= 1
    kind = pdfium.FPDFPageObj_GetType(item)
    if kind == pdfium.FPDF_PAGEOBJ_PATH:
        path = _read_path(item, transform)
        if path is not None:
            yield path
    elif kind == pdfium.FPDF_PAGEOBJ_FORM and depth:
        inner = _read_matrix(item) @ transform
        for index in range(pdfium.FPDFFormObj_CountObjects(item)):
            yield from _walk(pdfium.FPDFFormObj_GetObject(item, index), inner, depth - 1, left)


def _read_path(item: pdfium.FPDF_PAGEOBJECT, transform: NDArray[np.float64]) -> _Path | None:
    """Return a path, None where nothing of it is drawn."""
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    if not pdfium.FPDFPath_GetDrawMode(item, fill, stroke) or not (fill.value or stroke.value):
        return None
    corners = [ctypes.c_float() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetBounds(item, *corners):
        return None
    x0, y0, x1, y1 = (corner.value for corner in corners)
    points = np.array([(x0, y0, 1.0), (x0, y1, 1.0), (x1, y0, 1.0), (x1, y1, 1.0)]) @ transform
    (low_x, low_y), (high_x, high_y) = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    if not np.isfinite(points).all():
        return None
    bounds = (float(low_x), float(low_y), float(high_x), float(high_y))
    return _Path(bounds, max(_sides(bounds)) >= _MIN_LENGTH_POINTS and _is_slanted(item), bool(fill.value))


def _is_slanted(item: pdfium.FPDF_PAGEOBJECT) -> bool:
    """Return True if a path has a curve, or a line that is neither level nor upright."""
    x, y = ctypes.c_float(), ctypes.c_float()
    before = (0.0, 0.0)
    for index in range(min(_MAX_SEGMENTS, pdfium.FPDFPath_CountSegments(item))):
        segment = pdfium.FPDFPath_GetPathSegment(item, index)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        at, kind = (x.value, y.value), pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_BEZIERTO:
            return True
        across, down = abs(at[0] - before[0]), abs(at[1] - before[1])
        if kind == pdfium.FPDF_SEGMENT_LINETO and min(across, down) > _LEVEL * max(across, down):
            return True
        before = at
    return False


def _read_matrix(item: pdfium.FPDF_PAGEOBJECT) -> NDArray[np.float64]:
    """Return how an object's inner points become those around it, `[3, 3]`, for points as rows."""
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(item, matrix):
        return np.eye(3)
    return np.array([[matrix.a, matrix.b, 0.0], [matrix.c, matrix.d, 0.0], [matrix.e, matrix.f, 1.0]])
