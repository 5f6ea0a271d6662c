"""Timeline of a recording: one time zero and one end for its pictures, its audio and its subtitles.

Time zero is where players begin to count: the start of the stream that begins first. A stream that begins later keeps
its offset, so that times agree with a player's clock and with subtitle files beside the recording.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from indexer.media.video.container import Demuxer

_MAX_PRIMING_S = Fraction(1, 5)
"""Chosen: more than the priming of AAC and Opus (up to 0.1 s), which decoders drop; less than a real offset."""
_MAX_TAIL_PACKETS = 5000
"""Chosen: packets read to measure the true end; with more, the header's claim is taken, which is faster."""
_FORMATS_FROM_ZERO = {"matroska,webm", "asf"}
"""Measured: formats in which some makers count the length of a file from zero, others from its first packet."""
_FORMATS_OF_ONE_LENGTH = {*_FORMATS_FROM_ZERO, "flv"}
"""Source: FFmpeg's names of formats whose header says how long the file is; FFmpeg hands that on as a stream's length.
"""
_MIN_LIE_S, _MIN_LIE_SHARE = Fraction(1), Fraction(1, 50)
"""Chosen: a header that differs by more than a second and 2 % is worth a warning; less is rounding of its maker."""


def find_start_s(container: av.container.InputContainer) -> Fraction:
    """Return the container's own time, in seconds, that counts as time zero of the recording.

    It is where the first stream of pictures or audio begins, cover art left out; 0 where no stream says.
    """
    streams = [*container.streams.video, *container.streams.audio]
    starts = [_stream_start_s(stream) for stream in streams if not stream.disposition & Disposition.attached_pic]
    return min((start for start in starts if start is not None), default=Fraction(0))


def find_end_s(container: av.container.InputContainer, stream: av.stream.Stream) -> Fraction | None:
    """Return the container's own time, in seconds, at which the last packet of a stream ends.

    The packets near the end are read. Returns None where the stream claims no length or too many would have to be read.
    """
    claimed_s = claim_end_s(container, stream)
    if claimed_s is None or not stream.time_base:
        return None
    for time in _seek_points_near_end(stream, claimed_s):
        with suppress(av.error.FFmpegError):
            packets = Demuxer(container, stream)  # first of all: ASF cannot seek in a stream that is discarded
            container.seek(time, stream=stream)
            pts, durations = array("q"), array("q")
            for packet in packets:
                if packet.pts is not None and not packet.is_discard:
                    pts.append(packet.pts)
                    durations.append(packet.duration or 0)
                if len(pts) > _MAX_TAIL_PACKETS:
                    return None
            if pts:
                end = last_packet_end(container, np.array(pts, np.int64), np.array(durations, np.int64))
                return end * Fraction(stream.time_base)
    return None


def claim_end_s(container: av.container.InputContainer, stream: av.stream.Stream) -> Fraction | None:
    """Return the container's own time, in seconds, at which its header says that a stream ends; None if it does not."""
    if stream.duration is not None and stream.time_base:
        return Fraction((stream.start_time or 0) + stream.duration) * Fraction(stream.time_base)
    if container.duration is None:
        return None
    return Fraction((container.start_time or 0) + container.duration, av.time_base)


def find_false_claim(
    container: av.container.InputContainer, ends_s: Sequence[tuple[av.stream.Stream, Fraction | None]]
) -> tuple[Fraction, Fraction] | None:
    """Return the length in seconds that the header claims, and the true one; None where they agree or one is unknown.

    `ends_s` are streams with their measured ends. What the header says of the first one is held against it; what it
    says of the file is held against all streams, counted from the first packet, or from zero where makers do either.
    """
    start_s = find_start_s(container)
    stream, end_s = ends_s[0]
    if stream.duration is not None and container.format.name not in _FORMATS_OF_ONE_LENGTH:
        claimed_end_s = claim_end_s(container, stream)
        if claimed_end_s is None or end_s is None or _agree(claimed_end_s - start_s, end_s - start_s):
            return None
        return claimed_end_s - start_s, end_s - start_s
    length_s = _claim_length_s(container, stream)
    known = [end_s for _, end_s in ends_s if end_s is not None]
    if length_s is None or len(known) < len(ends_s):
        return None
    measured = {stream.index for stream, _ in ends_s}
    zeros_s = {start_s, Fraction(0)} if container.format.name in _FORMATS_FROM_ZERO else {start_s}
    for other in (None, *(other for other in container.streams if other.index not in measured)):
        if other is not None and (other_end_s := find_end_s(container, other)) is not None:
            known.append(other_end_s)
        if any(_agree(length_s, max(known) - zero_s) for zero_s in zeros_s):
            return None
    return length_s, max(known) - start_s


def _claim_length_s(container: av.container.InputContainer, stream: av.stream.Stream) -> Fraction | None:
    """Return the length of the file in seconds as its header says; None if it does not."""
    if stream.duration is not None and stream.time_base:
        return Fraction(stream.duration) * Fraction(stream.time_base)
    return None if container.duration is None else Fraction(container.duration, av.time_base)


def _agree(claimed_s: Fraction, measured_s: Fraction) -> bool:
    return abs(claimed_s - measured_s) <= max(_MIN_LIE_S, _MIN_LIE_SHARE * claimed_s)


def last_packet_end(
    container: av.container.InputContainer, pts: NDArray[np.int64], durations: NDArray[np.int64]
) -> int:
    """Return where the last presented of consecutive packets ends, in units of their stream's time base.

    `pts` and `durations` are `[n]`, in decoding order, n > 0; a duration of 0 is unknown. MP4 stores durations in
    decoding order, so that of the packet presented last may belong to another one; there their sum tells the end
    (ISO/IEC 14496-12, 8.6.1.2). Where the last duration is unknown, it is the median of the intervals.
    """
    last = int(pts.max())
    sum_end = int(pts.min() + durations.sum())
    if container.format.name.startswith("mov,") and sum_end > last:
        return sum_end
    duration = int(durations[np.flatnonzero(pts == last)[-1]])
    if not duration and len(pts) > 1:
        duration = int(np.median(np.diff(np.unique(pts)))) if len(np.unique(pts)) > 1 else 0
    return last + duration


def _stream_start_s(stream: av.stream.Stream) -> Fraction | None:
    """Return the time in seconds at which a stream is first presented; None where it does not say."""
    if stream.start_time is None or not stream.time_base:
        return None
    start_s = stream.start_time * Fraction(stream.time_base)
    is_priming = stream.type == "audio" and -_MAX_PRIMING_S < start_s < 0
    return Fraction(0) if is_priming else start_s


def _seek_points_near_end(stream: av.stream.Stream, claimed_s: Fraction) -> Iterator[int]:
    """Yield timestamps to seek to: the claimed end, then the last indexed key frame whose bytes are in the file."""
    yield int(claimed_s / Fraction(stream.time_base))
    size = stream.container.size
    for entry in reversed(stream.index_entries):
        if entry.is_keyframe and entry.pos + entry.size < size:
            yield entry.timestamp
            return


class FallbackClock:
    """Clock for unreliable timestamps: where one is missing or runs backwards, time advances by an interval."""

    def __init__(self, interval: Fraction, start_s: Fraction) -> None:
        self.interval = interval
        self._offset = start_s
        self._current = -interval

    @property
    def end_s(self) -> float:
        """End of what came last, in seconds."""
        return float(self._current + self.interval)

    def advance(self, timestamp_s: Fraction | None) -> float:
        """Return the time in seconds on the timeline for the next timestamp of the container's clock."""
        time_s = self._current + self.interval
        if timestamp_s is not None and timestamp_s - self._offset > self._current:
            time_s = max(timestamp_s - self._offset, Fraction(0))
        elif timestamp_s is not None:
            self._offset = timestamp_s - time_s
        self._current = time_s
        return float(time_s)
