"""A raw photo as a camera writes it: a DNG with a small preview, and the mosaic of its sensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.support.tiff_files import TiffPicture, write_tiff

_CFA = 32803


def write_dng(path: Path, rgb: NDArray[np.uint8], preview: NDArray[np.uint8] | None, **tags: int | str) -> Path:
    """Write a picture `[height, width, 3]` as the mosaic of a sensor (RGGB, 16 bits), with a preview as first page."""
    mosaic = np.empty(rgb.shape[:2], np.uint16)
    linear = ((rgb / 255.0) ** 2.2 * 65535).astype(np.uint16)
    mosaic[0::2, 0::2] = linear[0::2, 0::2, 0]
    mosaic[0::2, 1::2] = linear[0::2, 1::2, 1]
    mosaic[1::2, 0::2] = linear[1::2, 0::2, 1]
    mosaic[1::2, 1::2] = linear[1::2, 1::2, 2]
    identity = [(1, 1), (0, 1), (0, 1), (0, 1), (1, 1), (0, 1), (0, 1), (0, 1), (1, 1)]
    described = {
        271: "Test", 272: "Test camera", 306: "2019:08:07 06:05:04",
        50706: bytes([1, 4, 0, 0]), 50708: "Test camera", 50721: identity, 50728: [(1, 1), (1, 1), (1, 1)], 50778: 21,
    }  # fmt: skip
    sensor = TiffPicture(
        mosaic,
        photometric=_CFA,
        subfile_type=0,
        tags={33421: [2, 2], 33422: bytes([0, 1, 1, 2]), 50714: 0, 50717: 65535},
    )
    orientation = {274: tags.get("orientation", 1)}
    if preview is None:
        sensor.tags |= described | orientation
        return write_tiff(path, [sensor])
    first = TiffPicture(preview, subfile_type=1, tags=described | orientation, children=[sensor])
    return write_tiff(path, [first])
