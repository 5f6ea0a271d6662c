"""Structure of TIFF files (and DNG and other raw photos built like them): which pictures there are, and which is best.

Pixels are not touched here. A file may begin with a thumbnail, and hold its real picture in a SubIFD.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Literal, cast

_MAGIC_CLASSIC = frozenset({b"*\0", b"\0*"})
_MAGIC_BIG = frozenset({b"+\0", b"\0+"})
_RAW_MAGIC = frozenset({b"U\0", b"RO", b"RS", b"OR"})
"""Source: LibRaw, Panasonic RW2 (`IIU`) and Olympus ORF (`IIRO`, `IIRS`, `MMOR`): TIFF but for the magic number."""
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Source: TIFF 6.0, section 2, and BigTIFF: bytes of each field type."""
_INTEGER_FORMS = {1: "B", 3: "H", 4: "I", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
"""Source: TIFF 6.0, section 2: integers by field type."""
_MAX_IFDS = 256
"""Chosen: pictures of one file that are looked at; cameras write fewer than ten, scanners a page for each."""
_MAX_ENTRIES = 1024
"""Chosen: tags of one picture; more are no TIFF of anybody."""
_MAX_VALUES = 1 << 22
"""Chosen: values of one tag (offsets of strips); bounds the memory of a hostile count."""
_COMPRESSIONS = {
    1: "uncompressed", 2: "CCITT", 3: "CCITT G3", 4: "CCITT G4", 5: "LZW", 6: "old JPEG", 7: "JPEG", 8: "deflate",
    32773: "PackBits", 32946: "deflate", 34712: "JPEG 2000", 34887: "LERC", 34925: "LZMA", 50000: "zstd", 50001: "WebP",
    50002: "JPEG XL", 52546: "JPEG XL", 34892: "lossy JPEG",
}  # fmt: skip
"""Names of tag 259. Source: TIFF 6.0, its technical notes, and libtiff's tiff.h."""
_PHOTOMETRICS = {
    0: "grey", 1: "grey", 2: "colour", 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "CIELab", 9: "ICCLab",
    10: "ITULab", 32803: "camera raw", 34892: "camera raw", 32844: "LogL", 32845: "LogLuv", 51177: "depth",
}  # fmt: skip
"""Names of tag 262. Source: TIFF 6.0, DNG 1.6 and libtiff's tiff.h."""
_RAW_PHOTOMETRICS = frozenset({32803, 34892})
"""Source: DNG 1.6, PhotometricInterpretation: CFA and LinearRaw."""


@dataclass(frozen=True, slots=True)
class TiffPicture:
    """One picture (IFD) of a TIFF. `offset` is that of its IFD, `bits` those of one sample.

    `sample_format` is 1 for unsigned, 2 for signed integers, 3 for floats; `block_sizes` are the bytes of its strips or
    tiles, `block_offsets` where they begin.
    """

    offset: int
    depth: int
    tags: Mapping[int, tuple[int, ...]]

    def number(self, tag: int, default: int = 0) -> int:
        """Return the first value of a tag of integers, `default` where it is missing."""
        values = self.tags.get(tag, ())
        return values[0] if values else default

    @property
    def width(self) -> int:
        """Width in pixels as stored; 0 where it is not said."""
        return self.number(256)

    @property
    def height(self) -> int:
        """Height in pixels as stored; 0 where it is not said."""
        return self.number(257)

    @property
    def samples(self) -> int:
        """Samples of a pixel."""
        return self.number(277, 1)

    @property
    def bits(self) -> int:
        """Bits of a sample; the largest where they differ."""
        return max(self.tags.get(258, ()), default=1)

    @property
    def sample_format(self) -> int:
        """1 for unsigned, 2 for signed integers, 3 for floats."""
        return self.number(339, 1)

    @property
    def photometric(self) -> int:
        """How samples are to be understood (tag 262)."""
        return self.number(262, 1)

    @property
    def compression(self) -> int:
        """How the pixels are compressed (tag 259)."""
        return self.number(259, 1)

    @property
    def is_reduced(self) -> bool:
        """True for a picture that is a smaller copy of another picture of the file."""
        return bool(self.number(254) & 1) or self.number(255) == 2

    @property
    def is_mask(self) -> bool:
        """True for a picture that is the transparency mask of another picture."""
        return bool(self.number(254) & 4) or self.photometric == 4

    @property
    def is_raw(self) -> bool:
        """True for a picture that holds what a camera's sensor saw, before it became a picture."""
        return self.photometric in _RAW_PHOTOMETRICS

    @property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """Offset and bytes of its strips or tiles; empty where there are none."""
        offsets = self.tags.get(324) or self.tags.get(273, ())
        counts = self.tags.get(325) or self.tags.get(279, ())
        return tuple(zip(offsets, counts, strict=False))

    def is_whole(self, size: int) -> bool:
        """Return True if all of its strips or tiles lie inside a file of `size` bytes."""
        return bool(self.blocks) and all(offset + count <= size for offset, count in self.blocks)

    def describe(self) -> str:
        """Return its kind in words: `32-bit float colour, LERC`."""
        kind = {2: " signed", 3: " float"}.get(self.sample_format, "")
        colour = _PHOTOMETRICS.get(self.photometric, f"photometric {self.photometric}")
        compression = _COMPRESSIONS.get(self.compression, f"compression {self.compression}")
        planes = ", in planes" if self.number(284, 1) == 2 and self.samples > 1 else ""
        return f"{self.bits}-bit{kind} {colour}, {compression}{planes}"


@dataclass(frozen=True, slots=True)
class TiffFile:
    """The pictures of a TIFF in order, each followed by those of its SubIFDs; `size` is the file's in bytes."""

    order: Literal["<", ">"]
    is_big: bool
    magic: bytes
    size: int
    pictures: tuple[TiffPicture, ...]

    @property
    def is_raw(self) -> bool:
        """True for a file that is a camera's raw photo."""
        return self.magic[2:4] in _RAW_MAGIC or self.magic[8:10] == b"CR" or any(p.is_raw for p in self.pictures)

    @property
    def is_beyond_pillow(self) -> bool:
        """True for a big-endian BigTIFF, whose version Pillow 13 looks for in the wrong byte."""
        return self.is_big and self.order == ">"

    def best(self, readable: bool = False) -> TiffPicture | None:
        """Return the picture that the file is about: the first page, or what its first page is a thumbnail of.

        `readable`: the largest one that is no camera raw, thumbnails included.
        """
        shown = [p for p in self.pictures if p.width and p.height and not p.is_mask]
        if readable:
            return max((p for p in shown if not p.is_raw and p.blocks), key=_area, default=None)
        if not shown:
            return None
        first = shown[0]
        full = [p for p in shown if not p.is_reduced]
        if first.is_reduced or first.is_raw:
            return max(full or shown, key=_area)
        own_children = [p for p in self._children_of(first) if not p.is_reduced]
        return max([first, *own_children], key=_area)

    def count_pages(self) -> int:
        """Return the number of pages: pictures in order that are no smaller copies and no masks."""
        return sum(p.depth == 0 and not p.is_reduced and not p.is_mask for p in self.pictures)

    def opened_at(self, file: BinaryIO, picture: TiffPicture) -> IO[bytes]:
        """Return the file as if `picture` were its first one, for decoders that know no SubIFDs."""
        offset_form, at = ("Q", 8) if self.is_big else ("I", 4)
        standard = {"<": b"*\0", ">": b"\0*"}[self.order]
        patches = {at: struct.pack(self.order + offset_form, picture.offset)}
        if not self.is_big and self.magic[2:4] != standard:
            patches[2] = standard
        return cast(IO[bytes], PatchedFile(file, self.size, patches))  # raw and buffered files read alike

    def _children_of(self, first: TiffPicture) -> list[TiffPicture]:
        rest = self.pictures[self.pictures.index(first) + 1 :]
        return [p for i, p in enumerate(rest) if all(q.depth > first.depth for q in rest[: i + 1])]


class PatchedFile(io.RawIOBase):
    """Read-only view of a file in which some bytes are others; it has no file descriptor, so that no decoder bypasses
    it."""

    def __init__(self, file: BinaryIO, size: int, patches: Mapping[int, bytes]) -> None:
        super().__init__()
        self._file, self._size, self._patches, self._position = file, size, patches, 0

    def read(self, count: int | None = -1) -> bytes:
        """Read at most `count` bytes, the rest where it is negative."""
        left = max(self._size - self._position, 0)
        start = self._position
        self._file.seek(start)
        data = bytearray(self._file.read(left if count is None or count < 0 else min(count, left)))
        for at, patch in self._patches.items():
            for i, byte in enumerate(patch):
                if 0 <= at + i - start < len(data):
                    data[at + i - start] = byte
        self._position = start + len(data)
        return bytes(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position as `io.IOBase.seek` does and return it."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(origin + offset, 0)
        return self._position

    def tell(self) -> int:
        """Return the position of the next read."""
        return self._position

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True


def is_tiff(head: bytes) -> bool:
    """Return True if a file that begins with `head` is built like a TIFF."""
    order, magic = head[:2], head[2:4]
    return order in (b"II", b"MM") and magic in _MAGIC_CLASSIC | _MAGIC_BIG | _RAW_MAGIC


def read_structure(path: Path) -> TiffFile | None:
    """Read which pictures a TIFF holds; None where it is none, or so damaged that there is no picture."""
    with path.open("rb") as file:
        head = file.read(16)
        if not is_tiff(head):
            return None
        reader = _Reader(file, "<" if head[:2] == b"II" else ">", head[2:4] in _MAGIC_BIG)
        pictures = tuple(reader.read_all(head))
    if not pictures:
        return None
    return TiffFile(reader.order, reader.is_big, head, reader.size, pictures)


class _Reader:
    """Reader of the IFDs of one file; what lies outside of the file is left out."""

    def __init__(self, file: BinaryIO, order: Literal["<", ">"], is_big: bool) -> None:
        self._file, self.is_big = file, is_big
        self.order: Literal["<", ">"] = order
        self.size = file.seek(0, os.SEEK_END)
        self._seen: set[int] = set()

    def read_all(self, head: bytes) -> Iterator[TiffPicture]:
        """Yield the pictures, each followed by those of its SubIFDs."""
        form, at = ("Q", 8) if self.is_big else ("I", 4)
        if len(head) >= at + struct.calcsize(form):
            yield from self._read_chain(struct.unpack_from(self.order + form, head, at)[0], 0)

    def _read_chain(self, offset: int, depth: int) -> Iterator[TiffPicture]:
        while offset and offset not in self._seen and len(self._seen) < _MAX_IFDS:
            self._seen.add(offset)
            tags, following = self._read_ifd(offset)
            if tags:
                yield TiffPicture(offset, depth, tags)
            for child in tags.get(330, ())[:_MAX_IFDS] if depth < 2 else ():
                yield from self._read_chain(child, depth + 1)
            offset = following if depth == 0 else 0

    def _read_ifd(self, offset: int) -> tuple[dict[int, tuple[int, ...]], int]:
        """Return the tags of integers of an IFD, and the offset of the next one (0: none)."""
        count_form, entry_form, link_form = ("Q", "HHQ8s", "Q") if self.is_big else ("H", "HHI4s", "I")
        count = self._unpack(offset, count_form)
        entry = struct.Struct(self.order + entry_form)
        if count is None or not 0 < count <= _MAX_ENTRIES:
            return {}, 0
        start = offset + struct.calcsize(self.order + count_form)
        data = self._read_at(start, entry.size * count)
        tags = {}
        for tag, kind, length, inline in entry.iter_unpack(data[: len(data) // entry.size * entry.size]):
            if (values := self._read_values(kind, length, inline)) is not None:
                tags[tag] = values
        return tags, self._unpack(start + entry.size * count, link_form) or 0

    def _read_values(self, kind: int, count: int, inline: bytes) -> tuple[int, ...] | None:
        """Return the values of a tag of integers, None for other types and for those outside of the file."""
        form = _INTEGER_FORMS.get(kind)
        if form is None or not 0 < count <= _MAX_VALUES:
            return None
        size = _TYPE_SIZES[kind] * count
        data = inline
        if size > len(inline):
            at = struct.unpack(self.order + ("Q" if self.is_big else "I"), inline)[0]
            data = self._read_at(at, size)
        if len(data) < size:
            return None
        return struct.unpack(f"{self.order}{count}{form}", data[:size])

    def _unpack(self, offset: int, form: str) -> int | None:
        data = self._read_at(offset, struct.calcsize(self.order + form))
        try:
            return int(struct.unpack(self.order + form, data)[0])
        except struct.error:
            return None

    def _read_at(self, offset: int, count: int) -> bytes:
        if offset >= self.size:
            return b""
        self._file.seek(offset)
        return self._file.read(min(count, self.size - offset))


def _area(picture: TiffPicture) -> int:
    return picture.width * picture.height
