"""Pixels of TIFFs that Pillow does not know: floats, deep integers, planes. NumPy decodes plain and deflated blocks,
OpenCV (libtiff) the other compressions.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.media.tiff import TiffFile, TiffPicture

_DTYPES = {
    (1, 8): "u1", (1, 16): "u2", (1, 32): "u4", (2, 8): "i1", (2, 16): "i2", (2, 32): "i4",
    (3, 16): "f2", (3, 32): "f4", (3, 64): "f8",
}  # fmt: skip
"""NumPy types by sample format and bits. Source: TIFF 6.0, section 19."""
_NUMPY_COMPRESSIONS = frozenset({1, 8, 32946})
"""Source: TIFF 6.0 and its Photoshop note: uncompressed, and deflate under both its numbers."""
_OPENCV_COMPRESSIONS = frozenset({1, 5, 8, 32773, 32946})
"""Measured: what the libtiff inside of opencv-python-headless 5.0 decodes of deep samples; not zstd, not LZMA."""
_MAX_SAMPLES = 16
"""Chosen: samples of a pixel; pictures have at most four and a few extra, more are measurements."""
_OPENCV_BITS = frozenset({10, 12, 14, 16, 32, 64})
"""Measured: depths that the libtiff inside of opencv-python-headless 5.0 decodes."""


def can_decode(tiff: TiffFile, picture: TiffPicture) -> bool:
    """Return True if `decode` knows this kind of grey or colour picture of more than 8 bits, or of signed ones.

    Those of 8 bits are Pillow's, but in files that it cannot open.
    """
    is_ours = picture.bits > 8 or picture.sample_format != 1 or tiff.is_beyond_pillow
    return is_ours and picture.photometric in (0, 1, 2) and (_numpy_knows(picture) or _opencv_knows(picture))


def decode(path: Path, tiff: TiffFile, picture: TiffPicture) -> NDArray[np.generic]:
    """Return the samples of a picture, `[height, width, samples]` in their own type.

    Errors: ValueError where the data are damaged; MemoryError.
    """
    if _numpy_knows(picture):
        return _decode_blocks(path, tiff, picture)
    with path.open("rb") as file:
        data = np.frombuffer(tiff.opened_at(file, picture).read(), np.uint8)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(str(error)) from error
    if pixels is None:
        raise ValueError("the picture cannot be decoded")
    pixels = pixels if pixels.ndim == 3 else pixels[:, :, None]
    return pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]] if pixels.shape[2] >= 3 else pixels


def keeps_bits(picture: TiffPicture) -> bool:
    """Return True if decoded samples have the bits that the file says; OpenCV widens 10 to 14 bits to 16."""
    return _numpy_knows(picture)


def _numpy_knows(picture: TiffPicture) -> bool:
    has_type = (picture.sample_format, picture.bits) in _DTYPES and len(set(picture.tags.get(258, ()))) == 1
    predictor = picture.number(317, 1)
    has_predictor = predictor == 1 or (predictor == 2 and picture.sample_format != 3) or predictor == 3
    return (
        has_type
        and has_predictor
        and picture.compression in _NUMPY_COMPRESSIONS
        and 0 < picture.samples <= _MAX_SAMPLES
        and picture.number(266, 1) == 1
    )


def _opencv_knows(picture: TiffPicture) -> bool:
    is_chunky = picture.samples == 1 or picture.number(284, 1) == 1
    is_known = picture.samples in (1, 3, 4) and picture.bits in _OPENCV_BITS
    half = picture.sample_format == 3 and picture.bits == 16
    return is_chunky and is_known and not half and picture.compression in _OPENCV_COMPRESSIONS


def _decode_blocks(path: Path, tiff: TiffFile, picture: TiffPicture) -> NDArray[np.generic]:
    """Decode the strips or tiles one by one into the picture."""
    dtype = np.dtype(_DTYPES[picture.sample_format, picture.bits])
    planes = picture.samples if picture.number(284, 1) == 2 else 1
    samples = picture.samples // planes
    is_tiled = bool(picture.tags.get(324))
    block_width = picture.number(322) if is_tiled else picture.width
    block_height = picture.number(323) if is_tiled else min(picture.number(278, picture.height), picture.height)
    if not 0 < block_width <= picture.width + 65535 or not 0 < block_height <= picture.height + 65535:
        raise ValueError("its tiles have no size")
    pixels = np.zeros((picture.height, picture.width, picture.samples), dtype)
    across, down = -(-picture.width // block_width), -(-picture.height // block_height)
    if len(picture.blocks) < across * down * planes:
        raise ValueError("some of its strips are missing")
    with path.open("rb") as file:
        for number, (offset, count) in enumerate(picture.blocks[: across * down * planes]):
            plane, place = divmod(number, across * down)
            top, left = place // across * block_height, place % across * block_width
            rows = block_height if is_tiled else min(block_height, picture.height - top)
            file.seek(offset)
            shape = (rows, block_width, samples)
            block = _decode_block(file.read(count), shape, dtype, picture, tiff.order)
            target = pixels[top : top + rows, left : left + block_width, plane * samples : (plane + 1) * samples]
            target[:] = block[: target.shape[0], : target.shape[1]]
    return pixels


def _decode_block(
    data: bytes,
    shape: tuple[int, int, int],
    dtype: np.dtype[np.generic],
    picture: TiffPicture,
    order: Literal["<", ">"],
) -> NDArray[np.generic]:
    """Return the samples of one strip or tile. Errors: ValueError where it is cut short or corrupt."""
    size = shape[0] * shape[1] * shape[2] * dtype.itemsize
    if picture.compression != 1:
        try:
            data = zlib.decompressobj().decompress(data, size)
        except zlib.error as error:
            raise ValueError(str(error)) from error
    if len(data) < size:
        raise ValueError("a strip is cut short")
    raw = np.frombuffer(data, np.uint8, size)
    if picture.number(317, 1) == 3:
        return _undo_float_predictor(raw, shape, dtype)
    block = raw.view(dtype.newbyteorder(order)).reshape(shape)
    if picture.number(317, 1) == 2:
        return np.cumsum(block, axis=1, dtype=dtype)
    return block


def _undo_float_predictor(
    raw: NDArray[np.uint8], shape: tuple[int, int, int], dtype: np.dtype[np.generic]
) -> NDArray[np.generic]:
    """Return floats from differences of bytes that are sorted by significance (TIFF Technical Note 3)."""
    height, width, samples = shape
    differences = raw.reshape(height, width * dtype.itemsize, samples)
    summed = np.cumsum(differences, axis=1, dtype=np.uint8).reshape(height, dtype.itemsize, width * samples)
    return np.ascontiguousarray(summed.transpose(0, 2, 1)).view(dtype.newbyteorder(">")).reshape(shape)
