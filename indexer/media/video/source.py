"""Packets of a scanned stream by row: reads on, or seeks to a key packet and proves that it got there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from types import TracebackType

import av

from indexer.media.video.container import Demuxer, open_media
from indexer.media.video.scan import PacketTable

_MIN_SEEK_DISTANCE_PACKETS = 48
_MAX_RESYNC_PACKETS = 2000


class PacketSource:
    """Context manager over a container of its own, so that a seek does not disturb the decoder."""

    def __init__(self, path: Path, stream_index: int, table: PacketTable) -> None:
        self._path = path
        self._stream_index = stream_index
        self._table = table
        self._entries = list(table.key_dts)
        self._can_seek = True
        self._stack = ExitStack()
        self._open()

    def __enter__(self) -> PacketSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def read_rows(self, first: int, last: int) -> Iterator[tuple[int, av.Packet]]:
        """The packets of rows `first` (a key packet, or 0) to `last`; calls must ask for rising rows."""
        entry = bisect_right(self._entries, first) - 1
        if self._can_seek and entry >= 0 and self._entries[entry] - self._next_row > _MIN_SEEK_DISTANCE_PACKETS:
            self._seek(entry)
        for packet in self._packets:
            row = self._next_row
            self._next_row += 1
            if row >= first:
                yield row, packet
            if row >= last:
                return

    def _open(self) -> None:
        self._stack.close()
        self._container = self._stack.enter_context(open_media(self._path))
        self._stream = self._container.streams[self._stream_index]
        self._restart_packets(0)

    def _restart_packets(self, at: int, *ahead: av.Packet) -> None:
        self._packets = chain(ahead, iter(Demuxer(self._container, self._stream)))
        self._next_row = at

    def _seek(self, entry: int) -> None:
        """Go to that entry or one before it; where the container cannot, start over and never seek again."""
        before = self._next_row
        for time in self._seek_times(entry):
            if self._try_seek(time, before, self._entries[entry]):
                return
        self._can_seek = False
        self._open()

    def _seek_times(self, entry: int) -> list[int]:
        row = self._entries[entry]
        pts, dts = int(self._table.pts[row]), self._table.key_dts[row]
        times = [pts, dts] if "matroska" in self._container.format.name else [dts]
        return [*times, *(self._table.key_dts[row] for row in self._entries[max(entry - 1, 0) : entry])]

    def _try_seek(self, time: int, before: int, first: int) -> bool:
        try:
            self._container.seek(time, stream=self._stream)
        except (av.error.FFmpegError, OSError):
            return False
        demuxer = iter(Demuxer(self._container, self._stream))
        for _, packet in zip(range(_MAX_RESYNC_PACKETS), demuxer, strict=False):
            row = self._table.key_rows.get((packet.pos, packet.pts)) if packet.is_keyframe else None
            if row is not None:
                if not before <= row <= first:
                    return False
                self._packets, self._next_row = chain((packet,), demuxer), row
                return True
        return False
