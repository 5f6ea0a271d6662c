"""Bitstream inspection: random-access points and non-reference pictures, from the headers of compressed packets.

Sources: ITU-T H.264 (7.3.1, 7.3.3), ITU-T H.265 (7.3.1.2, 7.4.2.2), ISO/IEC 13818-2 (6.2.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntFlag, auto

_SCAN_BYTES = 8192
"""Chosen: bytes of a packet searched for start codes; headers come first, slice data is not worth the time."""


class PacketRole(IntFlag):
    """Role of a packet in decoding.

    KEY: pictures presented after it decode from here on. CLOSED_GOP: so do those presented before it (an IDR).
    NON_REFERENCE: no other picture refers to it. DISCARD: decoded but not presented (an edit list cuts it off).
    """

    NONE = 0
    KEY = auto()
    CLOSED_GOP = auto()
    NON_REFERENCE = auto()
    DISCARD = auto()


class PacketInspector:
    """Classifier of the packets of one stream, by the container's key flag and the headers of the picture."""

    def __init__(self, codec: str, extradata: bytes, intra_only: bool) -> None:
        self._codec = codec
        self._keys_are_closed = intra_only or codec in {"vp8", "vp9", "av1", "libdav1d"}
        self._nal_length_bytes = _read_nal_length_bytes(codec, extradata)

    def classify(self, data: memoryview, is_key: bool) -> tuple[PacketRole, int]:
        """Return the role of a packet and its temporal layer (0 where the codec has none)."""
        match self._codec:
            case "h264":
                return self._classify_h264(data, is_key), 0
            case "hevc":
                return self._classify_hevc(data, is_key)
            case "mpeg2video" | "mpeg1video":
                return _classify_mpeg2(data, is_key), 0
        if not is_key:
            return PacketRole.NONE, 0
        return (PacketRole.KEY | PacketRole.CLOSED_GOP if self._keys_are_closed else PacketRole.KEY), 0

    def _classify_h264(self, data: memoryview, is_key: bool) -> PacketRole:
        """Return the role by the first slice (H.264, 7.3.1): type 5 is an IDR, `nal_ref_idc` 0 is no reference."""
        for nal in _nal_units(data, self._nal_length_bytes):
            kind = nal[0] & 31
            if kind == 5:
                return PacketRole.KEY | PacketRole.CLOSED_GOP
            if kind == 1:
                if is_key and _h264_slice_is_intra(nal):
                    return PacketRole.KEY
                return PacketRole.NONE if nal[0] & 0x60 else PacketRole.NON_REFERENCE
        return PacketRole.NONE

    def _classify_hevc(self, data: memoryview, is_key: bool) -> tuple[PacketRole, int]:
        """Return role and temporal layer by the first slice (H.265, table 7-1): types 16 to 23 are IRAP pictures."""
        for nal in _nal_units(data, self._nal_length_bytes):
            kind, layer = nal[0] >> 1 & 63, max((nal[1] & 7) - 1, 0) if len(nal) > 1 else 0
            if kind >= 32:
                continue
            if 16 <= kind <= 23:
                return (
                    PacketRole.KEY | PacketRole.CLOSED_GOP if kind <= 20 else PacketRole.KEY
                ) if is_key else PacketRole.NONE, layer
            return (PacketRole.NON_REFERENCE if kind < 16 and kind % 2 == 0 else PacketRole.NONE), layer
        return PacketRole.NONE, 0


def _read_nal_length_bytes(codec: str, extradata: bytes) -> int:
    """Return the size of the length field before each NAL unit; 0 where start codes separate them."""
    if codec == "h264" and len(extradata) > 6 and extradata[0] == 1:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) > 22 and extradata[0] == 1:
        return (extradata[21] & 3) + 1
    return 0


def _nal_units(data: memoryview, length_bytes: int) -> Iterator[bytes]:
    """Yield the first bytes of each NAL unit."""
    if length_bytes:
        at = 0
        while at + length_bytes < len(data):
            size = int.from_bytes(data[at : at + length_bytes], "big")
            yield bytes(data[at + length_bytes : at + length_bytes + min(size, 16)]) or b"\xff"
            at += length_bytes + size
        return
    start = bytes(data[:_SCAN_BYTES])
    at = start.find(b"\0\0\1")
    while 0 <= at < len(start) - 4:
        yield start[at + 3 : at + 19]
        at = start.find(b"\0\0\1", at + 3)


def _h264_slice_is_intra(nal: bytes) -> bool:
    """Return True if a slice header has slice type I (H.264, 7.3.3)."""
    bits = int.from_bytes(nal[1:9].ljust(8, b"\0"), "big")
    _, used = _exp_golomb(bits, 0)
    slice_type, _ = _exp_golomb(bits, used)
    return slice_type % 5 == 2


def _exp_golomb(bits: int, at: int) -> tuple[int, int]:
    """Decode ue(v) (H.264, 9.1) at bit `at` of 64 bits; return the value and the next position."""
    zeros = 0
    while at + zeros < 31 and not bits >> (63 - at - zeros) & 1:
        zeros += 1
    end = at + 2 * zeros + 1
    return (bits >> (64 - end) & ((1 << (zeros + 1)) - 1)) - 1, end


def _classify_mpeg2(data: memoryview, is_key: bool) -> PacketRole:
    """Return the role by the picture coding type (ISO/IEC 13818-2, 6.2.3): 3 is a B picture."""
    if is_key:
        return PacketRole.KEY
    start = bytes(data[:_SCAN_BYTES])
    at = start.find(b"\0\0\1\0")
    is_b_picture = 0 <= at < len(start) - 5 and start[at + 5] >> 3 & 7 == 3
    return PacketRole.NON_REFERENCE if is_b_picture else PacketRole.NONE
