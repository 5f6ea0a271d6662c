"""Random access to the packets of a scanned stream, with seeks that are verified against the packet table."""

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
"""Chosen: over a shorter distance, reading on is taken to be cheaper than a seek; changes no result."""
_MAX_RESYNC_PACKETS = 2000
"""Chosen: packets read after a seek to find a known key packet, before the seek counts as failed."""


class PacketSource:
    """Reader of packets by row of the packet table; a context manager over a container of its own."""

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
        """Yield the packets of rows `first` (a key packet, or 0) to `last`; rows must rise from call to call."""
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
        """Open the container anew, at its first packet."""
        self._stack.close()
        self._container = self._stack.enter_context(open_media(self._path))
        self._stream = self._container.streams[self._stream_index]
        self._restart_packets()

    def _restart_packets(self) -> None:
        """Demux from the current position, which is row 0."""
        self._packets = iter(Demuxer(self._container, self._stream))
        self._next_row = 0

    def _seek(self, entry: int) -> None:
        """Seek to an entry point or one before it; where that fails, start over and never seek again."""
        before = self._next_row
        for time in self._seek_times(entry):
            if self._try_seek(time, before, self._entries[entry]):
                return
        self._can_seek = False
        self._open()

    def _seek_times(self, entry: int) -> list[int]:
        """Return timestamps to try: Matroska seeks by pts, others by dts; then the entry point before."""
        row = self._entries[entry]
        pts, dts = int(self._table.pts[row]), self._table.key_dts[row]
        times = [pts, dts] if "matroska" in self._container.format.name else [dts]
        return [*times, *(self._table.key_dts[row] for row in self._entries[max(entry - 1, 0) : entry])]

    def _try_seek(self, time: int, before: int, first: int) -> bool:
        """Seek and return True if the first known key packet lies in rows `before` to `first`."""
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
