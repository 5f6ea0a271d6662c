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
_WRAP_S = Fraction(1 << 33, 90_000)
"""Source: ISO/IEC 13818-1, 2.4.3.7: clocks count 33 bits at 90 kHz; FFmpeg adds that to what lies before the start."""
_MAX_WRAP_GAP_S = 60
"""Chosen: a clock that wraps round goes on at once; one that leaps further is that of another recording."""
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
        self.shown_end_s = Fraction(0)
        """Where the packets so far end when they are shown, in seconds of the continued clock."""

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
        shown_s = time_s if packet.pts is None else packet.pts * Fraction(packet.time_base)
        last_s = self._last_s.get(index, time_s)
        if time_s < last_s - _MIN_JUMP_S or leaps_over_wrap(self._container, last_s, time_s):
            part = self._parts[index] = part + 1
            if part == len(self._shifts_s):
                self._shifts_s.append(self.shown_end_s - shown_s)
        self._last_s[index] = time_s
        end_s = shown_s + (packet.duration or 0) * Fraction(packet.time_base) + self._shifts_s[part]
        self.shown_end_s = max(self.shown_end_s, end_s)
        return self._shifts_s[part]


def leaps_over_wrap(container: av.container.InputContainer, last_s: Fraction, time_s: Fraction) -> bool:
    """Return True if a clock went over its end, in seconds, to where going on would not have brought it.

    So FFmpeg shows a clock that went back: it takes every time before the start for one after the end.
    """
    has_wrapped = container.format.name in _JOINABLE_FORMATS and time_s // _WRAP_S > last_s // _WRAP_S
    return has_wrapped and time_s - last_s > _MAX_WRAP_GAP_S


def is_joined(path: Path) -> bool:
    """Return True if the clock of a file starts over somewhere; the whole file is read, once.

    Formats with an index are taken to be continuous. Errors: those of `open_media`.
    """
    return find_joined_end_s(path) is not None


def find_joined_end_s(path: Path) -> Fraction | None:
    """Return where a file ends whose clock starts over, in seconds of its first clock, continued; None for others.

    The whole file is read, once. Errors: those of `open_media`.
    """
    status = path.stat()
    return _find_joined_end_s(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=8)  # Form: the files that are read at the same time, and some more
def _find_joined_end_s(path: Path, _size: int, _modified_ns: int) -> Fraction | None:
    with open_media(path) as container:
        streams = [*container.streams.video, *container.streams.audio]
        if container.format.name not in _JOINABLE_FORMATS or not streams:
            return None
        demuxer = ContinuousDemuxer(container, streams[0])
        for _ in demuxer:
            pass
        return demuxer.shown_end_s if demuxer.part_count > 1 else None


def _shift_times(packet: av.Packet, shift_s: Fraction) -> None:
    """Add seconds to the timestamps of a packet."""
    if shift_s and packet.time_base:
        shift = round(shift_s / Fraction(packet.time_base))
        packet.pts = None if packet.pts is None else packet.pts + shift
        packet.dts = None if packet.dts is None else packet.dts + shift
