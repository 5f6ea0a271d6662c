"""Error-tolerant video decoder that counts frames and damaged packets."""

from __future__ import annotations

import os
from collections.abc import Iterator

import av

_MAX_THREADS = 8
"""Chosen: each decoding thread holds a frame; more threads decode faster but take more memory."""


class Decoder:
    """Multithreaded decoder of one stream; packets that fail are counted and skipped."""

    def __init__(self, codec_context: av.VideoCodecContext) -> None:
        self._codec = codec_context
        self._codec.thread_type = "AUTO"
        self._codec.thread_count = min((os.cpu_count() or 1) + 1, _MAX_THREADS)
        self._reorder_depth = 0
        self.frame_count = 0
        self.damaged_count = 0

    def feed(self, packet: av.Packet | None) -> Iterator[av.VideoFrame]:
        """Decode a packet and yield frames in order of presentation; None flushes the delayed frames."""
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
        """Yield the delayed frames and reset the decoder, so that decoding can begin anew at any key packet."""
        yield from self.feed(None)
        self._reorder_depth = max(self._reorder_depth, self._codec.reorder_depth)
        self._codec.flush_buffers()
        self._codec.reorder_depth = self._reorder_depth
