"""What a compressed packet says of itself: whether decoding can begin there, and whether anything depends on it.

Sources: ITU-T H.264 (7.3.1, 7.3.3), ITU-T H.265 (7.3.1.2, 7.4.2.2), ISO/IEC 13818-2 (6.2.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntFlag

_LOOK_BYTES = 8192


class Role(IntFlag):
    """KEY: pictures presented after it decode from here on. CLEAN: so do those presented before it (an IDR).
    DROPPABLE: no other picture refers to it. HIDDEN: decoded but not presented (an edit list cuts it off)."""

    NONE = 0
    KEY = 1
    CLEAN = 2
    DROPPABLE = 4
    HIDDEN = 8


class PacketInspector:
    """Tells the role of each packet of one stream, from the container's key flag and the first bytes of the picture."""

    def __init__(self, codec: str, extradata: bytes, intra_only: bool) -> None:
        self._codec = codec
        self._alone = intra_only or codec in {"vp8", "vp9", "av1", "libdav1d"}
        self._length_bytes = _length_bytes(codec, extradata)

    def role(self, data: memoryview, is_key: bool) -> tuple[Role, int]:
        """The role, and the temporal layer (0 where the codec has none)."""
        match self._codec:
            case "h264":
                return self._h264(data, is_key), 0
            case "hevc":
                return self._hevc(data, is_key)
            case "mpeg2video" | "mpeg1video":
                return _mpeg2(data, is_key), 0
        if not is_key:
            return Role.NONE, 0
        return (Role.KEY | Role.CLEAN if self._alone else Role.KEY), 0

    def _h264(self, data: memoryview, is_key: bool) -> Role:
        for nal in _nal_units(data, self._length_bytes):
            kind = nal[0] & 31
            if kind == 5:
                return Role.KEY | Role.CLEAN
            if kind == 1:
                if is_key and _h264_slice_is_intra(nal):
                    return Role.KEY
                return Role.NONE if nal[0] & 0x60 else Role.DROPPABLE
        return Role.NONE

    def _hevc(self, data: memoryview, is_key: bool) -> tuple[Role, int]:
        for nal in _nal_units(data, self._length_bytes):
            kind, layer = nal[0] >> 1 & 63, max((nal[1] & 7) - 1, 0) if len(nal) > 1 else 0
            if kind >= 32:
                continue
            if 16 <= kind <= 23:
                return (Role.KEY | Role.CLEAN if kind <= 20 else Role.KEY) if is_key else Role.NONE, layer
            return (Role.DROPPABLE if kind < 16 and kind % 2 == 0 else Role.NONE), layer
        return Role.NONE, 0


def _length_bytes(codec: str, extradata: bytes) -> int:
    """Size of the length before each NAL unit; 0 where start codes separate them."""
    if codec == "h264" and len(extradata) > 6 and extradata[0] == 1:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) > 22 and extradata[0] == 1:
        return (extradata[21] & 3) + 1
    return 0


def _nal_units(data: memoryview, length_bytes: int) -> Iterator[bytes]:
    """The first bytes of each NAL unit."""
    if length_bytes:
        at = 0
        while at + length_bytes < len(data):
            size = int.from_bytes(data[at : at + length_bytes], "big")
            yield bytes(data[at + length_bytes : at + length_bytes + min(size, 16)]) or b"\xff"
            at += length_bytes + size
        return
    start = bytes(data[:_LOOK_BYTES])
    at = start.find(b"\0\0\1")
    while 0 <= at < len(start) - 4:
        yield start[at + 3 : at + 19]
        at = start.find(b"\0\0\1", at + 3)


def _h264_slice_is_intra(nal: bytes) -> bool:
    bits = int.from_bytes(nal[1:9].ljust(8, b"\0"), "big")
    _, used = _exp_golomb(bits, 0)
    slice_type, _ = _exp_golomb(bits, used)
    return slice_type % 5 == 2


def _exp_golomb(bits: int, at: int) -> tuple[int, int]:
    """ue(v) at bit `at` of 64 bits: the value, and where the next begins."""
    zeros = 0
    while at + zeros < 31 and not bits >> (63 - at - zeros) & 1:
        zeros += 1
    end = at + 2 * zeros + 1
    return (bits >> (64 - end) & ((1 << (zeros + 1)) - 1)) - 1, end


def _mpeg2(data: memoryview, is_key: bool) -> Role:
    if is_key:
        return Role.KEY
    start = bytes(data[:_LOOK_BYTES])
    at = start.find(b"\0\0\1\0")
    is_b_picture = 0 <= at < len(start) - 5 and start[at + 5] >> 3 & 7 == 3
    return Role.DROPPABLE if is_b_picture else Role.NONE
