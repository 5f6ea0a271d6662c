"""Sampled video decoding: the frames of a sampling plan, with as little decoding as possible."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from indexer.errors import DamagedMedia, UnsupportedMedia
from indexer.media.video.bitstream import PacketRole
from indexer.media.video.container import Demuxer, open_media, pick_audio_stream, pick_video_stream
from indexer.media.video.continuity import ContinuousDemuxer, find_joined_end_s
from indexer.media.video.decoder import Decoder
from indexer.media.video.picture import FrameConverter
from indexer.media.video.plan import SamplingPlan, VideoReport, choose_frames, choose_streaming
from indexer.media.video.scan import PacketTable, is_interlaced, scan_packets
from indexer.media.video.source import PacketSource
from indexer.media.video.timeline import FallbackClock, find_end_s, find_start_s, last_packet_end
from indexer.types import Frame, Pixels

SendHeartbeat: TypeAlias = Callable[[], None]

_CONVERT_AHEAD = 2  # Form: frames being converted while the next ones are decoded
_DEFAULT_FRAME_RATE = Fraction(25)  # Chosen: for streams that state no rate; sets the length of the last frame


def no_heartbeat() -> None:
    """Do nothing: the heartbeat for readers without a timeout."""


@dataclass(frozen=True, slots=True)
class DecodeSpan:
    """Rows `[first, last]` of the packet table that are decoded together; `closed_gop`: independent of earlier rows."""

    first: int
    last: int
    closed_gop: bool


class VideoReader:
    """Iterable over the sampled frames of a video by time, once; `report` is complete afterwards.

    The frames with `time_s >= start_s` are pixel for pixel those of reading from the start. Errors: SourceNotFound,
    UnsupportedMedia (no pictures), DamagedMedia (none can be decoded).
    """

    def __init__(self, path: Path, plan: SamplingPlan, heartbeat: SendHeartbeat = no_heartbeat) -> None:
        self._path = path
        self._plan = plan
        self._heartbeat = heartbeat
        self._sampled_frames = 0
        self.report = VideoReport(0, 0, 0, 0.0, ("not read to the end",))

    def __iter__(self) -> Iterator[Frame]:
        """Yield the sampled frames in order of time."""
        first_pts = read_first_pts(self._path)
        with open_media(self._path) as container:
            stream = pick_video_stream(container)
            if stream is None or stream.time_base is None:
                raise UnsupportedMedia(str(self._path), "has no pictures")
            start_s = find_start_s(container)
            table = scan_packets(container, stream, is_interlaced(stream), self._heartbeat)
            converter = FrameConverter(stream.sample_aspect_ratio, self._plan.max_px)
            decoder = Decoder(stream.codec_context)
            if table.is_ordered and first_pts is not None:
                frames = self._read_indexed(table, stream, decoder, first_pts, start_s)
            else:
                frames = self._read_sequential(stream, decoder, table, start_s)
            yield from self._convert(frames, converter, stream.time_base)

    def _convert(
        self, frames: Iterator[tuple[float, av.VideoFrame]], converter: FrameConverter, time_base: Fraction
    ) -> Iterator[Frame]:
        """Convert frames to RGB in a thread, while the next ones are decoded."""
        pending: deque[tuple[float, int, Future[Pixels]]] = deque()
        with ThreadPoolExecutor(1) as executor:
            for time_s, frame in frames:
                self._sampled_frames += 1
                pending.append((time_s, _pts_or_dts(frame) or 0, executor.submit(converter.convert, frame)))
                if len(pending) > _CONVERT_AHEAD:
                    yield _make_frame(*pending.popleft(), time_base)
            while pending:
                yield _make_frame(*pending.popleft(), time_base)

    def _read_indexed(
        self, table: PacketTable, stream: av.VideoStream, decoder: Decoder, first_pts: int, start_s: Fraction
    ) -> Iterator[tuple[float, av.VideoFrame]]:
        """Yield sampled frames with their times, decoding only what they depend on."""
        order = _presentation_order(table, first_pts)
        base = Fraction(stream.time_base)
        first_s = float(first_pts * base - start_s)
        times = first_s + ((table.pts[order] - first_pts) * float(base)).astype(np.float64)
        end_pts = last_packet_end(stream.container, table.pts[np.sort(order)], table.durations[np.sort(order)])
        end_s = max(float(end_pts * base - start_s), float(times[-1]))
        end_s += float(1 / _frame_rate(stream)) if end_s == times[-1] else 0.0  # nothing says how long it lasts
        rows = choose_frames(times, (table.roles[order] & PacketRole.KEY) > 0, end_s, self._plan)
        target_rows = [int(order[row]) for row in rows if times[row] >= self._plan.start_s - 1e-9]
        due_pts = deque(sorted(int(table.pts[row]) for row in target_rows))
        target_count = len(due_pts)
        for frame in self._decode_spans(table, stream.index, decoder, set(target_rows)):
            pts = _pts_or_dts(frame)
            if pts is None or not due_pts or pts < due_pts[0]:
                continue
            while due_pts and due_pts[0] <= pts:
                due_pts.popleft()
            yield first_s + (pts - first_pts) * float(base), frame
        self._finish(decoder, table.damaged_packets, end_s, target_count)

    def _decode_spans(
        self, table: PacketTable, stream_index: int, decoder: Decoder, target_rows: set[int]
    ) -> Iterator[av.VideoFrame]:
        """Decode the spans that the target rows need, without non-reference pictures between them."""
        with PacketSource(self._path, stream_index, table) as source:
            at = 0
            for span in plan_spans(table, sorted(target_rows)):
                if span.first != at and not span.closed_gop:
                    yield from decoder.drain()
                for row, packet in source.read_rows(span.first, span.last):
                    self._heartbeat()
                    if row in target_rows or not table.roles[row] & PacketRole.NON_REFERENCE:
                        yield from decoder.feed(packet)
                at = span.last + 1
            yield from decoder.feed(None)

    def _read_sequential(
        self, stream: av.VideoStream, decoder: Decoder, table: PacketTable, start_s: Fraction
    ) -> Iterator[tuple[float, av.VideoFrame]]:
        """Yield sampled frames of a stream whose times are missing or run backwards; every frame is decoded."""
        clock = FallbackClock(1 / _frame_rate(stream), start_s)

        def all_frames() -> Iterator[tuple[float, av.VideoFrame]]:
            with open_media(self._path) as container:
                for packet in ContinuousDemuxer(container, container.streams[stream.index]):
                    self._heartbeat()
                    for frame in decoder.feed(packet):
                        yield clock.advance(_timestamp_s(frame, stream)), frame
            for frame in decoder.feed(None):
                yield clock.advance(_timestamp_s(frame, stream)), frame

        chosen_count = 0
        for time_s, frame in choose_streaming(all_frames(), self._plan, float(clock.interval)):
            chosen_count += 1
            if time_s >= self._plan.start_s - 1e-9:
                yield time_s, frame
        self._finish(decoder, table.damaged_packets, clock.end_s, chosen_count)

    def _finish(self, decoder: Decoder, damaged_packets: int, end_s: float, target_count: int) -> None:
        """Set the report. Errors: DamagedMedia where no frame could be decoded although one was due."""
        if not decoder.frame_count and (target_count or not self._plan.start_s):
            raise DamagedMedia(str(self._path), "no picture in it can be decoded")
        damaged_packets += decoder.damaged_count
        end_s = max(end_s, _find_audio_end_s(self._path))
        warnings = (f"{damaged_packets} damaged packets were skipped",) if damaged_packets else ()
        self.report = VideoReport(self._sampled_frames, decoder.frame_count, damaged_packets, end_s, warnings)


def read_frames(path: Path, plan: SamplingPlan) -> Iterator[Frame]:
    """Return an iterator over the sampled frames of a video, without a report."""
    return iter(VideoReader(path, plan))


def read_first_pts(path: Path) -> int | None:
    """Return the timestamp of the first presented frame, in units of the stream's time base; None where it has none.

    Errors: UnsupportedMedia (no pictures), DamagedMedia (no frame can be decoded).
    """
    with open_media(path) as container:
        stream = pick_video_stream(container)
        if stream is None:
            raise UnsupportedMedia(str(path), "has no pictures")
        return _pts_or_dts(decode_first_frame(path, container, stream))


def decode_first_frame(path: Path, container: av.container.InputContainer, stream: av.VideoStream) -> av.VideoFrame:
    """Return the first decodable frame of a stream of a container that has not been read from.

    Errors: DamagedMedia where no frame can be decoded.
    """
    decoder = Decoder(stream.codec_context)
    for packet in Demuxer(container, stream):
        for frame in decoder.feed(packet):
            return frame
    for frame in decoder.feed(None):
        return frame
    raise DamagedMedia(str(path), "no picture in it can be decoded")


def plan_spans(table: PacketTable, target_rows: list[int]) -> list[DecodeSpan]:
    """Return the spans of rows to decode for the target rows (ascending), merged where they touch.

    A frame decodes from the key packet before it. One that follows a key packet but is presented before it (a leading
    picture) may refer to earlier pictures, unless the GOP is closed, and decodes from the key packet before that.
    """
    keys = np.flatnonzero(table.roles & PacketRole.KEY).tolist()
    spans: list[DecodeSpan] = []
    for row in target_rows:
        first = _find_decode_start(table, keys, row)
        if spans and first <= spans[-1].last + 1:
            spans[-1] = DecodeSpan(spans[-1].first, max(row, spans[-1].last), spans[-1].closed_gop)
        else:
            spans.append(DecodeSpan(first, row, bool(table.roles[first] & PacketRole.CLOSED_GOP)))
    return spans


def _find_decode_start(table: PacketTable, keys: list[int], row: int) -> int:
    """Return the row of the key packet from which a row decodes."""
    at = bisect_right(keys, row) - 1
    if at < 0:
        return 0
    leads = table.pts[row] < table.pts[keys[at]] and not table.roles[keys[at]] & PacketRole.CLOSED_GOP
    return (keys[at - 1] if at else 0) if leads else keys[at]


def _presentation_order(table: PacketTable, origin: int) -> NDArray[np.int64]:
    """Return the rows in order of presentation, from the first presented frame on."""
    rows = np.flatnonzero(((table.roles & PacketRole.DISCARD) == 0) & (table.pts >= origin))
    _, unique = np.unique(table.pts[rows], return_index=True)
    return rows[unique]


def _pts_or_dts(frame: av.VideoFrame) -> int | None:
    """Return the presentation timestamp of a frame, else its decoding timestamp."""
    timestamp: int | None = frame.pts if frame.pts is not None else frame.dts
    return timestamp


def _timestamp_s(frame: av.VideoFrame, stream: av.VideoStream) -> Fraction | None:
    """Return the presentation time of a frame on the container's clock; None where it has none."""
    pts = _pts_or_dts(frame)
    return None if pts is None else pts * Fraction(stream.time_base)


def _find_audio_end_s(path: Path) -> float:
    """Return where the audio of a recording ends on its timeline, in seconds; 0 where there is none or nothing says.

    Of a joined file it is the end of all.
    """
    with open_media(path) as container:
        audio = pick_audio_stream(container)
        end_s = find_joined_end_s(path)
        if end_s is None and audio is not None:
            end_s = find_end_s(container, audio)
        return 0.0 if end_s is None else float(end_s - find_start_s(container))


def _make_frame(time_s: float, pts: int, rgb: Future[Pixels], time_base: Fraction) -> Frame:
    """Return a frame once its pixels are converted."""
    return Frame(pts, time_base, time_s, rgb.result())


def _frame_rate(stream: av.VideoStream) -> Fraction:
    """Return the frames per second that a stream claims, or a default."""
    return Fraction(stream.average_rate or stream.base_rate or _DEFAULT_FRAME_RATE)
