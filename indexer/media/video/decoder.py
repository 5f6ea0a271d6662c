"""A decoder that goes on after damage, and counts."""

from __future__ import annotations

import os
from collections.abc import Iterator

import av

_MAX_THREADS = 8


class Decoder:
    """Decodes the packets of one stream with all cores; packets that fail are counted and passed over."""

    def __init__(self, codec_context: av.VideoCodecContext) -> None:
        self._codec = codec_context
        self._codec.thread_type = "AUTO"
        self._codec.thread_count = min((os.cpu_count() or 1) + 1, _MAX_THREADS)
        self._reorder_depth = 0
        self.frame_count = 0
        self.damaged_count = 0

    def feed(self, packet: av.Packet | None) -> Iterator[av.VideoFrame]:
        """The frames that come out, in order of presentation; None asks for all that are still inside."""
        try:
            frames = self._codec.decode(packet)
        except av.error.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            self.damaged_count += not isinstance(error, EOFError)
            return
        for frame in frames:
            self.frame_count += 1
            self.damaged_count += bool(frame.is_corrupt)
            yield frame

    def drain(self) -> Iterator[av.VideoFrame]:
        """What is still inside; afterwards decoding can begin anew at any key packet."""
        yield from self.feed(None)
        self._reorder_depth = max(self._reorder_depth, self._codec.reorder_depth)
        self._codec.flush_buffers()
        self._codec.reorder_depth = self._reorder_depth
