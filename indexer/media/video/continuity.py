"""Continuous timestamps for streams that were joined: where the clock of a file starts over, time goes on.

Recorders and `cat a.ts b.ts` write such files. All streams of pictures and audio are watched together, so that they
stay in step where they end at different times.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av

from indexer.media.video.container import open_media, skip_read_errors

_MIN_JUMP_S = 1
"""Chosen: a clock that goes back further starts over; less is disorder of packets, which decoders sort."""
_JOINABLE_FORMATS = {"mpegts", "mpeg"}
"""Source: FFmpeg's names of the formats without an index, whose files can be joined byte by byte (ISO/IEC 13818-1)."""


class ContinuousDemuxer:
    """Iterable over the packets of one stream from the start of a file, their times shifted so that they never restart.

    Read errors are counted and skipped.
    """

    def __init__(self, container: av.container.InputContainer, stream: av.stream.Stream) -> None:
        self._container, self._stream = container, stream
        self._shifts_s = [Fraction(0)]
        self._parts: dict[int, int] = {}
        self._last_s: dict[int, Fraction] = {}
        self._end_s = Fraction(0)

    @property
    def part_count(self) -> int:
        """How often the clock has begun, so far."""
        return len(self._shifts_s)

    def __iter__(self) -> Iterator[av.Packet]:
        """Yield the packets that have data."""
        watched = [*self._container.streams.video, *self._container.streams.audio]
        for packet in skip_read_errors(self._container, watched):
            shift_s = self._advance(packet)
            if packet.stream.index == self._stream.index:
                _shift_times(packet, shift_s)
                yield packet

    def _advance(self, packet: av.Packet) -> Fraction:
        """Return the shift of a packet in seconds; it begins a new part where its stream goes back."""
        time = packet.dts if packet.dts is not None else packet.pts
        index = packet.stream.index
        part = self._parts.setdefault(index, 0)
        if time is None or not packet.time_base:
            return self._shifts_s[part]
        time_s = time * Fraction(packet.time_base)
        if time_s < self._last_s.get(index, time_s) - _MIN_JUMP_S:
            part = self._parts[index] = part + 1
            if part == len(self._shifts_s):
                self._shifts_s.append(self._end_s - time_s)
        self._last_s[index] = time_s
        end_s = time_s + (packet.duration or 0) * Fraction(packet.time_base) + self._shifts_s[part]
        self._end_s = max(self._end_s, end_s)
        return self._shifts_s[part]


def is_joined(path: Path) -> bool:
    """Return True if the clock of a file starts over somewhere; the whole file is read, once.

    Formats with an index are taken to be continuous. Errors: those of `open_media`.
    """
    status = path.stat()
    return _is_joined(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=8)  # Form: the files that are read at the same time, and some more
def _is_joined(path: Path, _size: int, _modified_ns: int) -> bool:
    with open_media(path) as container:
        if container.format.name not in _JOINABLE_FORMATS:
            return False
        streams = [*container.streams.video, *container.streams.audio]
        if not streams:
            return False
        demuxer = ContinuousDemuxer(container, streams[0])
        return any(demuxer.part_count > 1 for _ in demuxer) or demuxer.part_count > 1


def _shift_times(packet: av.Packet, shift_s: Fraction) -> None:
    """Add seconds to the timestamps of a packet."""
    if shift_s and packet.time_base:
        shift = round(shift_s / Fraction(packet.time_base))
        packet.pts = None if packet.pts is None else packet.pts + shift
        packet.dts = None if packet.dts is None else packet.dts + shift
