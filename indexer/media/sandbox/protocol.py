"""Wire protocol between the indexer and the sandboxed media process: typed MessagePack messages with raw payloads.

Frame of a message: two little-endian uint32 (bytes of the body, bytes of the payload), the body in MessagePack, the
payload (pixels, samples or a piece of a file) as it is. Decoding cannot run code, so a hostile writer gains nothing.
"""

from __future__ import annotations

import os
import select
import struct
from collections.abc import Callable
from typing import Annotated, TypeAlias, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from indexer.media.video import SamplingPlan, VideoReport
from indexer.types import Box, DocumentPage, MediaInfo, TextLine

MAX_BODY_BYTES = 64 << 20
"""Chosen: above the cues of a 16 MB subtitle file; bounds what a hostile child can make the parent allocate."""
MAX_PAYLOAD_BYTES = 640 << 20
"""Chosen: above the RGB pixels of the largest image that `MediaLimits` allows by default (600 MB)."""
_HEADER = struct.Struct("<II")

_T = TypeVar("_T")
PositiveInt: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]

Payload: TypeAlias = bytes | NDArray[np.uint8] | NDArray[np.float32]


class ProbeRequest(msgspec.Struct, tag="probe"):
    """Request the metadata of a file; answered by InfoReply."""

    path: bytes


class FramesRequest(msgspec.Struct, tag="frames"):
    """Request the sampled frames of a video; answered by FrameReply for each, then ReportReply."""

    path: bytes
    plan: SamplingPlan


class AudioRequest(msgspec.Struct, tag="audio"):
    """Request the mono samples of `[start_s, end_s)` at `sample_rate` Hz; answered by AudioReply."""

    path: bytes
    start_s: float
    end_s: float
    sample_rate: int


class ImageRequest(msgspec.Struct, tag="image"):
    """Request the pixels of an image; answered by ImageReply."""

    path: bytes
    max_px: int


class TilesRequest(msgspec.Struct, tag="tiles"):
    """Request parts of an image reduced to `width` x `height`; answered by TileReply for each, then DoneReply."""

    path: bytes
    boxes: list[Box]
    width: PositiveInt
    height: PositiveInt


class PagesRequest(msgspec.Struct, tag="pages"):
    """Request the pages of a PDF from `first_page` (from 1) on; answered by PageReply for each, then DoneReply."""

    path: bytes
    first_page: int
    max_px: int


class SubtitlesRequest(msgspec.Struct, tag="subtitles"):
    """Request embedded and, optionally, sidecar subtitles; answered by SubtitlesReply."""

    path: bytes
    include_sidecars: bool


class ClipRequest(msgspec.Struct, tag="clip"):
    """Request a clip of a video as MP4; answered by ClipChunkReply for each piece, then DoneReply."""

    path: bytes
    start_s: float
    end_s: float
    max_px: int


class InfoReply(msgspec.Struct, tag="info"):
    """Metadata of a file."""

    info: MediaInfo


class FrameReply(msgspec.Struct, tag="frame"):
    """A sampled frame; the payload is its RGB pixels, `[height, width, 3]` uint8."""

    pts: int
    time_base: tuple[PositiveInt, PositiveInt]
    time_s: float
    height: int
    width: int


class ReportReply(msgspec.Struct, tag="report"):
    """Decoding statistics of a video; the last reply to a FramesRequest."""

    report: VideoReport


class AudioReply(msgspec.Struct, tag="sound"):
    """Audio; the payload is its mono samples, float32 in [-1, 1]."""

    start_s: float
    sample_rate: int


class ImageReply(msgspec.Struct, tag="picture"):
    """An image; the payload is its RGB pixels, `[height, width, 3]` uint8."""

    height: int
    width: int


class TileReply(msgspec.Struct, tag="tile"):
    """A part of an image; the payload is its RGB pixels, `[height, width, 3]` uint8."""

    height: int
    width: int


class PageReply(msgspec.Struct, tag="page"):
    """A page of a PDF with its text lines; the payload is its RGB pixels, `[height, width, 3]` uint8."""

    number: int
    lines: list[TextLine]
    text_layer_reliable: bool
    height: int
    width: int
    unread_regions: list[Box]
    hidden_lines: list[int]
    unlikely_lines: list[int]
    notes: list[TextLine]

    @classmethod
    def of(cls, page: DocumentPage) -> PageReply:
        """Return the reply for a page, without its picture."""
        return cls(
            page.number,
            list(page.lines),
            page.text_layer_reliable,
            page.rgb.shape[0],
            page.rgb.shape[1],
            list(page.unread_regions),
            list(page.hidden_lines),
            list(page.unlikely_lines),
            list(page.notes),
        )

    def to_page(self, rgb: NDArray[np.uint8]) -> DocumentPage:
        """Return the page of a reply with its picture."""
        return DocumentPage(
            self.number,
            rgb,
            tuple(self.lines),
            self.text_layer_reliable,
            tuple(self.unread_regions),
            tuple(self.hidden_lines),
            tuple(self.unlikely_lines),
            tuple(self.notes),
        )


class SubtitlesReply(msgspec.Struct, tag="lines"):
    """Cues of the subtitles, and a warning for each source that cannot be read."""

    lines: list[TextLine]
    warnings: list[str]


class ClipChunkReply(msgspec.Struct, tag="piece"):
    """The next bytes of a clip, as payload."""


class DoneReply(msgspec.Struct, tag="done"):
    """The end of a stream of replies."""


class HeartbeatReply(msgspec.Struct, tag="beat"):
    """A sign of life during long work, so that the reader does not time out."""


class ErrorReply(msgspec.Struct, tag="error"):
    """An error by the name of its class; `must_restart` where the process should not go on."""

    error_class: str
    reason: str
    must_restart: bool = False


Request: TypeAlias = (
    ProbeRequest
    | FramesRequest
    | AudioRequest
    | ImageRequest
    | TilesRequest
    | PagesRequest
    | SubtitlesRequest
    | ClipRequest
)
Reply: TypeAlias = (
    InfoReply
    | FrameReply
    | ReportReply
    | AudioReply
    | ImageReply
    | TileReply
    | PageReply
    | SubtitlesReply
    | ClipChunkReply
    | DoneReply
    | HeartbeatReply
    | ErrorReply
)


class SandboxProtocolError(Exception):
    """A message that breaks the protocol, or a peer that is gone."""


class SandboxTimeout(SandboxProtocolError):
    """No byte within the read timeout."""


_ENCODER = msgspec.msgpack.Encoder()
_REQUEST_DECODER: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_REPLY_DECODER: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def send(descriptor: int, message: Request | Reply, payload: Payload = b"") -> None:
    """Write a message and its payload, blocking while the pipe is full. Errors: OSError (EPIPE) where nobody reads."""
    body = _ENCODER.encode(message)
    raw = _byte_view(payload)
    parts = [memoryview(_HEADER.pack(len(body), len(raw))), memoryview(body), raw]
    while parts:
        written = os.writev(descriptor, parts)
        while parts and written >= len(parts[0]):
            written -= len(parts.pop(0))
        if parts and written:
            parts[0] = parts[0][written:]


def receive_request(descriptor: int) -> Request:
    """Wait for the next request without a timeout. Errors: SandboxProtocolError at the end or on an invalid message."""
    return _receive(descriptor, _REQUEST_DECODER.decode, None)[0]


def receive_reply(descriptor: int, read_timeout_s: float) -> tuple[Reply, NDArray[np.uint8]]:
    """Read the next reply and its payload. Errors: SandboxTimeout after `read_timeout_s` without a byte,
    SandboxProtocolError."""
    return _receive(descriptor, _REPLY_DECODER.decode, read_timeout_s)


def unpack_pixels(payload: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Reshape a payload to `[height, width, 3]`. Errors: SandboxProtocolError where it has another size."""
    if height <= 0 or width <= 0 or height * width * 3 != len(payload):
        raise SandboxProtocolError(f"{len(payload)} bytes for a picture of {width} x {height}")
    return payload.reshape(height, width, 3)


def _receive(
    descriptor: int, decode: Callable[[bytes], _T], read_timeout_s: float | None
) -> tuple[_T, NDArray[np.uint8]]:
    """Read a message and its payload within the size limits. Errors: SandboxTimeout, SandboxProtocolError."""
    head = bytearray(_HEADER.size)
    _read_exactly(descriptor, memoryview(head), read_timeout_s)
    body_bytes, payload_bytes = _HEADER.unpack(head)
    if body_bytes > MAX_BODY_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
        raise SandboxProtocolError(f"a message of {body_bytes} + {payload_bytes} bytes")
    body = bytearray(body_bytes)
    _read_exactly(descriptor, memoryview(body), read_timeout_s)
    payload = np.empty(payload_bytes, np.uint8)
    _read_exactly(descriptor, _byte_view(payload), read_timeout_s)
    try:
        return decode(bytes(body)), payload
    except (msgspec.MsgspecError, ValueError) as error:
        raise SandboxProtocolError(f"an invalid message: {error}") from error


def _byte_view(payload: Payload) -> memoryview:
    """Return the bytes of a payload without copying contiguous arrays."""
    view = payload if isinstance(payload, bytes) else np.ascontiguousarray(payload).reshape(-1).view(np.uint8).data
    return memoryview(view)


def _read_exactly(descriptor: int, view: memoryview, read_timeout_s: float | None) -> None:
    """Fill `view` from a pipe. Errors: SandboxTimeout, SandboxProtocolError at the end of the stream."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while len(view):
        if not poll.poll(None if read_timeout_s is None else read_timeout_s * 1000):
            raise SandboxTimeout(f"no data for {read_timeout_s} s")
        count = os.readv(descriptor, [view])
        if not count:
            raise SandboxProtocolError("the other side is gone")
        view = view[count:]
