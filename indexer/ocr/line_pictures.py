"""Pictures of single lines of text: a detected quadrilateral, rectified to a height."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.types import Pixels

_MAX_LINE_WIDTH_PX = 3200
"""Chosen: bounds the cost of a long line; a line of more than 66 heights is squeezed."""
_MIN_VERTICAL_RATIO = 1.5  # Source: PaddleOCR, `get_rotate_crop_image`: boxes this much higher than wide are vertical


def side_lengths(quad: NDArray[np.float32]) -> tuple[float, float]:
    """Return width and height of a quadrilateral `[4, 2]`, in pixels, each at least 1."""
    sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    return max(1.0, float(sides[0]), float(sides[2])), max(1.0, float(sides[1]), float(sides[3]))


def is_vertical(quad: NDArray[np.float32]) -> bool:
    """Return True if a line is so much higher than wide that it runs downwards or is turned."""
    sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    return bool(max(sides[1], sides[3]) >= _MIN_VERTICAL_RATIO * max(sides[0], sides[2]))


def rectify_line(picture: Pixels, quad: NDArray[np.float32], height_px: int, margin_px: int = 0) -> Pixels:
    """Return a line as an upright picture of `height_px`, with what is around it as a margin."""
    width, height = side_lengths(quad)
    across = min(_MAX_LINE_WIDTH_PX, max(height_px, int(np.ceil(height_px * width / height))))
    times = max(1, int(height // height_px))
    x1, y1, margin = across * times, height_px * times, margin_px * times
    corners = np.array([[0, 0], [x1, 0], [x1, y1], [0, y1]], dtype=np.float32) + np.float32(margin)
    matrix = cv2.getPerspectiveTransform(np.ascontiguousarray(quad, dtype=np.float32), corners)
    size = (x1 + 2 * margin, y1 + 2 * margin)
    line = cv2.warpPerspective(picture, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if times > 1:
        target = (across + 2 * margin_px, height_px + 2 * margin_px)
        line = cv2.resize(line, target, interpolation=cv2.INTER_AREA)
    return np.asarray(line, dtype=np.uint8)
