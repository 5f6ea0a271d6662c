"""TIFF files built byte by byte, of kinds that no library at hand writes: floats, planes, tiles, SubIFDs, BigTIFF."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Value = int | str | bytes | Sequence[int] | Sequence[tuple[int, int]]
_SHORT, _LONG, _ASCII, _RATIONAL, _BYTE, _LONG8 = 3, 4, 2, 5, 1, 16
_SAMPLE_FORMAT = {"u": 1, "i": 2, "f": 3}


@dataclass
class TiffPicture:
    """One picture (IFD) of a TIFF: its pixels `[height, width(, samples)]` and the tags that describe them."""

    pixels: NDArray[np.generic]
    photometric: int | None = None
    subfile_type: int | None = None
    compression: int = 1
    planar: bool = False
    tile: int | None = None
    predictor: int = 1
    packed_bits: int | None = None
    """Bits a sample where they are packed (12); the pixels are then uint16, one sample."""
    tags: dict[int, Value] = field(default_factory=dict)
    children: Sequence[TiffPicture] = ()
    """Pictures of its SubIFDs (tag 330)."""


def write_tiff(path: Path, pictures: Sequence[TiffPicture], big_endian: bool = False, big_tiff: bool = False) -> Path:
    """Write pictures as a TIFF or BigTIFF, linked in order."""
    writer = _Writer(">" if big_endian else "<", big_tiff)
    path.write_bytes(writer.build(pictures))
    return path


class _Writer:
    def __init__(self, order: str, big: bool) -> None:
        self._order, self._big = order, big
        self._data = bytearray()

    def build(self, pictures: Sequence[TiffPicture]) -> bytes:
        mark = b"II" if self._order == "<" else b"MM"
        if self._big:
            self._data += mark + self._pack("HHHQ", 43, 8, 0, 0)
            link = 8
        else:
            self._data += mark + self._pack("HI", 42, 0)
            link = 4
        for picture in pictures:
            offset, next_link = self._add_ifd(picture)
            self._data[link : link + (8 if self._big else 4)] = self._pack("Q" if self._big else "I", offset)
            link = next_link
        return bytes(self._data)

    def _pack(self, form: str, *values: int) -> bytes:
        return struct.pack(self._order + form, *values)

    def _append(self, data: bytes) -> int:
        self._data += b"\0" * (len(self._data) % 2)
        self._data += data
        return len(self._data) - len(data)

    def _add_ifd(self, picture: TiffPicture) -> tuple[int, int]:
        """Write a picture and its IFD; return the IFD's offset and that of its link to the next."""
        tags = self._describe(picture)
        tags[330] = [self._add_ifd(child)[0] for child in picture.children]
        entries = [self._entry(tag, tags[tag]) for tag in sorted(tags) if tags[tag] != []]
        head = self._pack("Q" if self._big else "H", len(entries))
        link_size = 8 if self._big else 4
        offset = self._append(head + b"".join(entries) + bytes(link_size))
        return offset, len(self._data) - link_size

    def _describe(self, picture: TiffPicture) -> dict[int, Value]:
        pixels = picture.pixels if picture.pixels.ndim == 3 else picture.pixels[:, :, None]
        height, width, samples = pixels.shape
        bits = picture.packed_bits or pixels.dtype.itemsize * 8
        photometric = picture.photometric
        if photometric is None:
            photometric = 2 if samples >= 3 else 1
        blocks = [self._compress(block, picture) for block in _blocks(pixels, picture)]
        offsets = [self._append(block) for block in blocks]
        tags: dict[int, Value] = {
            256: width,
            257: height,
            258: [bits] * samples,
            259: picture.compression,
            262: photometric,
            277: samples,
            284: 2 if picture.planar else 1,
            339: [_SAMPLE_FORMAT[pixels.dtype.kind]] * samples,
        }
        if picture.predictor != 1:
            tags[317] = picture.predictor
        if samples == 4 and photometric == 2:
            tags[338] = 2
        counts = [len(block) for block in blocks]
        if picture.tile:
            tags |= {322: picture.tile, 323: picture.tile, 324: offsets, 325: counts}
        else:
            tags |= {273: offsets, 278: height, 279: counts}
        if picture.subfile_type is not None:
            tags[254] = picture.subfile_type
        return tags | picture.tags

    def _compress(self, block: NDArray[np.generic], picture: TiffPicture) -> bytes:
        if picture.packed_bits == 12:
            data = _pack_12(block[:, :, 0])
        elif picture.predictor == 3:
            data = _float_predicted(block)
        else:
            data = np.ascontiguousarray(block.astype(block.dtype.newbyteorder(self._order))).tobytes()
        if picture.compression in (8, 32946):
            return zlib.compress(data)
        return data

    def _entry(self, tag: int, value: Value) -> bytes:
        kind, count, data = self._encode(value)
        form = "HHQ" if self._big else "HHI"
        room = 8 if self._big else 4
        if len(data) > room:
            data = self._pack("Q" if self._big else "I", self._append(data))
        return self._pack(form, tag, kind, count) + data.ljust(room, b"\0")

    def _encode(self, value: Value) -> tuple[int, int, bytes]:
        if isinstance(value, str):
            data = value.encode() + b"\0"
            return _ASCII, len(data), data
        if isinstance(value, bytes):
            return _BYTE, len(value), value
        values = [value] if isinstance(value, int) else list(value)
        if values and isinstance(values[0], tuple):
            return _RATIONAL, len(values), b"".join(self._pack("II", *pair) for pair in values)  # type: ignore[misc]
        numbers = [int(number) for number in values]  # type: ignore[arg-type]
        kind, form = (_SHORT, "H") if max(numbers) < 65536 else (_LONG, "I")
        return kind, len(numbers), self._pack(form * len(numbers), *numbers)


def _blocks(pixels: NDArray[np.generic], picture: TiffPicture) -> list[NDArray[np.generic]]:
    """Return the strips or tiles of a picture, those of each plane one after the other where it is planar."""
    planes = [pixels[:, :, i : i + 1] for i in range(pixels.shape[2])] if picture.planar else [pixels]
    if not picture.tile:
        return planes
    side = picture.tile
    blocks = []
    for plane in planes:
        for y in range(0, plane.shape[0], side):
            for x in range(0, plane.shape[1], side):
                part = plane[y : y + side, x : x + side]
                edges = ((0, side - part.shape[0]), (0, side - part.shape[1]), (0, 0))
                blocks.append(np.pad(part, edges))
    return blocks


def _pack_12(values: NDArray[np.generic]) -> bytes:
    """Pack 12-bit values two in three bytes, each row padded to whole bytes."""
    rows = []
    for row in values.astype(np.uint32):
        pairs = np.resize(row, (len(row) + 1) // 2 * 2).reshape(-1, 2)
        first, second = pairs[:, 0], pairs[:, 1]
        packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=1).astype(np.uint8)
        rows.append(packed.tobytes()[: (len(row) * 12 + 7) // 8])
    return b"".join(rows)


def _float_predicted(block: NDArray[np.generic]) -> bytes:
    """Return float32 samples as TIFF's predictor 3 stores them: bytes by significance, then differences."""
    height, width, samples = block.shape
    raw = np.ascontiguousarray(block.astype(">f4")).view(np.uint8).reshape(height, width * samples, 4)
    split = raw.transpose(0, 2, 1).reshape(height, -1)
    differences = split.copy()
    differences[:, samples:] = split[:, samples:] - split[:, :-samples]
    return differences.tobytes()
