"""Packet scan: one pass over a video without decoding, for times, roles and random-access points."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from indexer.media.video.bitstream import PacketInspector, PacketRole
from indexer.media.video.container import Demuxer
from indexer.media.video.continuity import leaps_over_wrap

_HEARTBEAT_PACKETS = 256  # Form: packets between two heartbeats
_FIELD_ORDER_PROGRESSIVE = 1  # Source: FFmpeg, AV_FIELD_PROGRESSIVE
_MIN_ROWS_BETWEEN_ENTRIES = 12
"""Chosen: bounds the seek table of streams of key frames alone; a seek then reads up to as many packets more."""


@dataclass(frozen=True, slots=True)
class PacketTable:
    """Packets of a stream in decoding order: `pts`, `durations` `[n]` int64, `roles` `[n]` uint8, bits of `PacketRole`.

    `key_rows` maps the `(byte position, pts)` of key packets (where they are dense, of some) to their rows, `key_dts`
    these rows, ascending, to decoding times. A duration of 0 is unknown. `is_ordered` is False where times are missing
    or run backwards: then the rows cannot be used.
    """

    pts: NDArray[np.int64]
    durations: NDArray[np.int64]
    roles: NDArray[np.uint8]
    key_rows: dict[tuple[int | None, int], int]
    key_dts: dict[int, int]
    is_ordered: bool
    damaged_packets: int


def scan_packets(
    container: av.container.InputContainer, stream: av.VideoStream, interlaced: bool, heartbeat: Callable[[], None]
) -> PacketTable:
    """Read all packets of a stream into a packet table; `heartbeat` is called regularly."""
    codec = stream.codec_context
    inspector = PacketInspector(codec.codec.canonical_name, codec.extradata or b"", codec.codec.intra_only)
    pts, durations, roles, layers = array("q"), array("q"), bytearray(), bytearray()
    keys: dict[tuple[int | None, int], int] = {}
    key_dts: dict[int, int] = {}
    ordered, damaged, last_dts = True, 0, None
    demuxer = Demuxer(container, stream)
    for row, packet in enumerate(demuxer):
        if row % _HEARTBEAT_PACKETS == 0:
            heartbeat()
        role, layer = inspector.classify(memoryview(packet), packet.is_keyframe)
        if packet.is_discard:
            role |= PacketRole.DISCARD
        ordered = ordered and _follows(container, last_dts, packet)
        last_dts = packet.dts if packet.dts is not None else last_dts
        time = packet.pts if packet.pts is not None else 0
        if role & PacketRole.KEY and (not key_dts or row - next(reversed(key_dts)) >= _MIN_ROWS_BETWEEN_ENTRIES):
            keys[packet.pos, time] = row
            key_dts[row] = packet.dts if packet.dts is not None else time
        damaged += packet.is_corrupt
        pts.append(time)
        durations.append(packet.duration or 0)
        roles.append(int(role))
        layers.append(layer)
    return PacketTable(
        pts=np.array(pts, np.int64),
        durations=np.array(durations, np.int64),
        roles=_make_roles(roles, layers, interlaced),
        key_rows=keys,
        key_dts=key_dts,
        is_ordered=ordered and bool(pts),
        damaged_packets=damaged + demuxer.error_count,
    )


def is_interlaced(stream: av.VideoStream) -> bool:
    """Return True if a packet may hold one field instead of a frame (interlaced material)."""
    return int(stream.codec_context.field_order) > _FIELD_ORDER_PROGRESSIVE


def _follows(container: av.container.InputContainer, last_dts: int | None, packet: av.Packet) -> bool:
    """Return True if a packet has a time and lies after the last one, on a clock that has not started over."""
    if packet.pts is None or last_dts is None:
        return packet.pts is not None
    if packet.dts is None or not packet.time_base:
        return bool((packet.dts or 0) >= last_dts)
    base = Fraction(packet.time_base)
    return bool(packet.dts >= last_dts and not leaps_over_wrap(container, last_dts * base, packet.dts * base))


def _make_roles(roles: bytearray, layers: bytearray, interlaced: bool) -> NDArray[np.uint8]:
    """Return the roles, without NON_REFERENCE where other pictures may refer to a packet after all."""
    made = _clear_unsafe_non_reference(np.frombuffer(bytes(roles), np.uint8), np.frombuffer(bytes(layers), np.uint8))
    return made & np.uint8(0xFF - PacketRole.NON_REFERENCE) if interlaced else made


def _clear_unsafe_non_reference(roles: NDArray[np.uint8], layers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Clear NON_REFERENCE below the highest temporal layer: higher layers may refer to it (H.265, 7.4.2.2)."""
    if not len(layers) or not layers.any():
        return roles
    return np.where(layers == layers.max(), roles, roles & np.uint8(0xFF - PacketRole.NON_REFERENCE)).astype(np.uint8)
