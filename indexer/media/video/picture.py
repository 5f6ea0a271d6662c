"""Frame conversion: a decoded frame to an upright RGB picture, in one pass of the scaler."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from indexer.types import Pixels

_UNSPECIFIED = 2  # Source: ITU-T H.273, MatrixCoefficients
_RGB = 0  # Source: ITU-T H.273, MatrixCoefficients (identity)
_HD_HEIGHT, _HD_WIDTH = 720, 1280
"""Chosen: untagged video of this size or more is taken for BT.709, as players do; a wrong guess shifts colors."""


class FrameConverter:
    """Converter of one stream's frames to RGB: scales, deinterlaces and rotates; reuses the scaler between frames."""

    def __init__(self, sample_aspect: Fraction | None, max_px: int) -> None:
        self._aspect = sample_aspect if sample_aspect else Fraction(1)
        self._max_px = max_px
        self._scaler = VideoReformatter()

    def convert(self, frame: av.VideoFrame) -> Pixels:
        """Return a frame as displayed, RGB `[height, width, 3]`, the longer side at most `max_px`."""
        matrix = display_matrix(frame)
        if frame.interlaced_frame:
            frame = _deinterlace(frame)
        width, height = display_size(frame.width, frame.height, self._aspect)
        scale = min(1.0, self._max_px / max(width, height))
        scaled = self._scaler.reformat(
            frame,
            max(round(width * scale), 1),
            max(round(height * scale), 1),
            "rgb24",
            src_colorspace=_pick_colorspace(frame),
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.AREA,
            threads=1,
        )
        return apply_display_matrix(np.asarray(scaled.to_ndarray(), np.uint8), matrix)


def display_size(width: int, height: int, sample_aspect: Fraction) -> tuple[int, int]:
    """Return `(width, height)` in square pixels: the width is scaled by the sample aspect ratio."""
    return max(round(width * sample_aspect), 1), height


def display_matrix(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """Return the display matrix `(a, b, c, d)` in {-1, 0, 1}: `(x, y)` is shown at `(a x + c y, b x + d y)`."""
    for side_data in frame.side_data:
        if getattr(side_data, "type", None) is not None and side_data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = np.frombuffer(bytes(side_data), np.int32)[:5].tolist()
            return _snap_to_axes(a, b, c, d)
    return 1, 0, 0, 1


def apply_display_matrix(picture: Pixels, matrix: tuple[int, int, int, int]) -> Pixels:
    """Rotate or mirror a picture by one of the eight display matrices."""
    a, b, c, d = matrix
    if b or c:
        picture = picture.transpose(1, 0, 2)
        right, down = c, b
    else:
        right, down = a, d
    if right < 0:
        picture = picture[:, ::-1]
    if down < 0:
        picture = picture[::-1]
    return np.ascontiguousarray(picture)


def _snap_to_axes(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    """Return the nearest matrix of quarter turns and mirrorings."""
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return (-1 if a < 0 else 1), 0, 0, (-1 if d < 0 else 1)
    return 0, (-1 if b < 0 else 1), (-1 if c < 0 else 1), 0


def _pick_colorspace(frame: av.VideoFrame) -> int:
    """Return the color space of a frame; untagged ones are BT.709 from 720 lines on and BT.601 below."""
    if frame.colorspace not in {_UNSPECIFIED, _RGB}:
        return int(frame.colorspace)
    return int(Colorspace.ITU709 if frame.height >= _HD_HEIGHT or frame.width >= _HD_WIDTH else Colorspace.ITU601)


def _deinterlace(frame: av.VideoFrame) -> av.VideoFrame:
    """Deinterlace within one frame, edge-directed; the result does not depend on where decoding began."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 90000))
    source.link_to(filtered := graph.add("estdif", "mode=frame:deint=all"))
    filtered.link_to(graph.add("buffersink"))
    graph.configure()
    graph.push(frame)
    graph.push(None)
    return graph.pull()
