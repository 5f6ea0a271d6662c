"""Reads the frames of a plan from a video, decoding as little as it can."""

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
from indexer.media.video.bitstream import Role
from indexer.media.video.container import Demuxer, open_media, pick_video
from indexer.media.video.decoder import Decoder
from indexer.media.video.picture import PictureMaker
from indexer.media.video.plan import FramePlan, VideoReport, choose_as_they_come, choose_frames
from indexer.media.video.scan import PacketTable, has_fields, scan
from indexer.media.video.source import PacketSource
from indexer.types import Frame, Pixels

Beat: TypeAlias = Callable[[], None]

_CONVERTING = 2
_FALLBACK_RATE = Fraction(25)


def no_beat() -> None:
    """Stands in where nobody watches for signs of life."""


@dataclass(frozen=True, slots=True)
class Span:
    """Rows `[first, last]` of the packet table that are decoded in one go; `clean`: nothing before can leak in."""

    first: int
    last: int
    clean: bool


class VideoReader:
    """Iterate over it once for the frames, in order of time; `report` holds what became of it afterwards.

    The frames with `time_s >= start_s` are the same, pixel for pixel, as in a reading from the start. Errors:
    SourceNotFound, UnsupportedMedia (no pictures), DamagedMedia (none can be decoded).
    """

    def __init__(self, path: Path, plan: FramePlan, beat: Beat = no_beat) -> None:
        self._path = path
        self._plan = plan
        self._beat = beat
        self._looked_at = 0
        self.report = VideoReport(0, 0, 0, 0.0, ("not read to the end",))

    def __iter__(self) -> Iterator[Frame]:
        origin = first_pts(self._path)
        with open_media(self._path) as container:
            stream = pick_video(container)
            if stream is None or stream.time_base is None:
                raise UnsupportedMedia(str(self._path), "has no pictures")
            table = scan(container, stream, has_fields(stream), self._beat)
            maker = PictureMaker(stream.sample_aspect_ratio, self._plan.max_px)
            decoder = Decoder(stream.codec_context)
            if table.ordered and origin is not None:
                found = self._indexed(table, stream, decoder, origin)
            else:
                found = self._sequential(stream, decoder, table)
            yield from self._converted(found, maker, stream.time_base)

    def _converted(
        self, found: Iterator[tuple[float, av.VideoFrame]], maker: PictureMaker, time_base: Fraction
    ) -> Iterator[Frame]:
        """Pictures are made in a thread of their own while the next frames are decoded."""
        waiting: deque[tuple[float, int, Future[Pixels]]] = deque()
        with ThreadPoolExecutor(1) as converter:
            for time_s, frame in found:
                self._looked_at += 1
                waiting.append((time_s, _pts(frame) or 0, converter.submit(maker.make, frame)))
                if len(waiting) > _CONVERTING:
                    yield _made(*waiting.popleft(), time_base)
            while waiting:
                yield _made(*waiting.popleft(), time_base)

    def _indexed(
        self, table: PacketTable, stream: av.VideoStream, decoder: Decoder, origin: int
    ) -> Iterator[tuple[float, av.VideoFrame]]:
        order = _presented(table, origin)
        base = Fraction(stream.time_base)
        times = ((table.pts[order] - origin) * float(base)).astype(np.float64)
        interval = float(times[-1] / (len(times) - 1)) if len(times) > 1 else float(1 / _rate(stream))
        end_s = max(float((table.end_pts - origin) * base), float(times[-1]) + interval / 2)
        rows = choose_frames(times, (table.roles[order] & Role.KEY) > 0, end_s, self._plan)
        wanted = [int(order[row]) for row in rows if times[row] >= self._plan.start_s - 1e-9]
        due = deque(sorted(int(table.pts[row]) for row in wanted))
        asked = len(due)
        for frame in self._decode_spans(table, stream.index, decoder, set(wanted)):
            pts = _pts(frame)
            if pts is None or not due or pts < due[0]:
                continue
            while due and due[0] <= pts:
                due.popleft()
            yield float((pts - origin) * base), frame
        self._finish(decoder, table.damaged, end_s, asked)

    def _decode_spans(
        self, table: PacketTable, stream_index: int, decoder: Decoder, wanted: set[int]
    ) -> Iterator[av.VideoFrame]:
        with PacketSource(self._path, stream_index, table) as source:
            at = 0
            for span in plan_spans(table, sorted(wanted)):
                if span.first != at and not span.clean:
                    yield from decoder.drain()
                for row, packet in source.rows(span.first, span.last):
                    self._beat()
                    if row in wanted or not table.roles[row] & Role.DROPPABLE:
                        yield from decoder.feed(packet)
                at = span.last + 1
            yield from decoder.feed(None)

    def _sequential(
        self, stream: av.VideoStream, decoder: Decoder, table: PacketTable
    ) -> Iterator[tuple[float, av.VideoFrame]]:
        """For streams whose times are missing or run backwards: every frame is decoded, from the start."""
        clock = _Clock(stream.time_base, 1 / _rate(stream))

        def all_frames() -> Iterator[tuple[float, av.VideoFrame]]:
            with open_media(self._path) as container:
                for packet in Demuxer(container, container.streams[stream.index]):
                    self._beat()
                    for frame in decoder.feed(packet):
                        yield clock.tell(_pts(frame)), frame
            for frame in decoder.feed(None):
                yield clock.tell(_pts(frame)), frame

        asked = 0
        for time_s, frame in choose_as_they_come(all_frames(), self._plan, float(clock.interval)):
            asked += 1
            if time_s >= self._plan.start_s - 1e-9:
                yield time_s, frame
        self._finish(decoder, table.damaged, clock.end_s, asked)

    def _finish(self, decoder: Decoder, damaged: int, end_s: float, asked: int) -> None:
        if not decoder.frames and (asked or not self._plan.start_s):
            raise DamagedMedia(str(self._path), "no picture in it can be decoded")
        damaged += decoder.damaged
        warnings = (f"{damaged} damaged packets were passed over",) if damaged else ()
        self.report = VideoReport(self._looked_at, decoder.frames, damaged, end_s, warnings)


def read_frames(path: Path, plan: FramePlan) -> Iterator[Frame]:
    """The frames alone, for who does not ask what became of the reading."""
    return iter(VideoReader(path, plan))


def first_pts(path: Path) -> int | None:
    """The time stamp of the first presented frame, in units of the stream; None where it has none.

    Errors: UnsupportedMedia (no pictures), DamagedMedia (no frame can be decoded).
    """
    with open_media(path) as container:
        stream = pick_video(container)
        if stream is None:
            raise UnsupportedMedia(str(path), "has no pictures")
        return _pts(first_frame(path, container, stream))


def first_frame(path: Path, container: av.container.InputContainer, stream: av.VideoStream) -> av.VideoFrame:
    """Decode until a frame comes out. The container must not have been read from."""
    decoder = Decoder(stream.codec_context)
    for packet in Demuxer(container, stream):
        for frame in decoder.feed(packet):
            return frame
    for frame in decoder.feed(None):
        return frame
    raise DamagedMedia(str(path), "no picture in it can be decoded")


def plan_spans(table: PacketTable, wanted: list[int]) -> list[Span]:
    """The rows to decode for the wanted ones (ascending), merged where they touch.

    A frame decodes from the key packet before it. One that follows a key packet but is presented before it may refer
    to what came earlier still, unless the key is clean, and decodes from the key packet before that.
    """
    keys = np.flatnonzero(table.roles & Role.KEY).tolist()
    spans: list[Span] = []
    for row in wanted:
        first = _start_of(table, keys, row)
        if spans and first <= spans[-1].last + 1:
            spans[-1] = Span(spans[-1].first, max(row, spans[-1].last), spans[-1].clean)
        else:
            spans.append(Span(first, row, bool(table.roles[first] & Role.CLEAN)))
    return spans


def _start_of(table: PacketTable, keys: list[int], row: int) -> int:
    at = bisect_right(keys, row) - 1
    if at < 0:
        return 0
    leads = table.pts[row] < table.pts[keys[at]] and not table.roles[keys[at]] & Role.CLEAN
    return (keys[at - 1] if at else 0) if leads else keys[at]


def _presented(table: PacketTable, origin: int) -> NDArray[np.int64]:
    """Rows in order of presentation, from the first presented frame on."""
    rows = np.flatnonzero(((table.roles & Role.HIDDEN) == 0) & (table.pts >= origin))
    _, unique = np.unique(table.pts[rows], return_index=True)
    return rows[unique]


def _pts(frame: av.VideoFrame) -> int | None:
    stamp: int | None = frame.pts if frame.pts is not None else frame.dts
    return stamp


def _made(time_s: float, pts: int, rgb: Future[Pixels], time_base: Fraction) -> Frame:
    return Frame(pts, time_base, time_s, rgb.result())


def _rate(stream: av.VideoStream) -> Fraction:
    return Fraction(stream.average_rate or stream.base_rate or _FALLBACK_RATE)


class _Clock:
    """Times for frames whose stamps cannot be relied on: where one is missing or steps back, time goes on evenly."""

    def __init__(self, time_base: Fraction, interval: Fraction) -> None:
        self.interval = interval
        self._base = time_base
        self._shift: Fraction | None = None
        self._now = -interval

    @property
    def end_s(self) -> float:
        return float(self._now + self.interval)

    def tell(self, pts: int | None) -> float:
        expected = self._now + self.interval
        stamp = None if pts is None else pts * self._base
        if stamp is not None and self._shift is not None and stamp - self._shift > self._now:
            expected = stamp - self._shift
        elif stamp is not None:
            self._shift = stamp - expected
        self._now = expected
        return float(expected)
