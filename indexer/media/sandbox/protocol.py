"""What passes between the indexer and the media process: length-prefixed, typed messages, and raw pixels or samples.

Frame of a message: two little-endian uint32 (bytes of the body, bytes of the payload), the body in MessagePack, the
payload as it is. Nothing here can make the reader run code, whoever writes.
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
from indexer.types import MediaInfo, TextLine

MAX_BODY_BYTES = 64 << 20
MAX_PAYLOAD_BYTES = 640 << 20
_HEADER = struct.Struct("<II")

_T = TypeVar("_T")
PositiveInt: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]

Payload: TypeAlias = bytes | NDArray[np.uint8] | NDArray[np.float32]


class ProbeRequest(msgspec.Struct, tag="probe"):
    path: bytes


class FramesRequest(msgspec.Struct, tag="frames"):
    path: bytes
    plan: SamplingPlan


class AudioRequest(msgspec.Struct, tag="audio"):
    path: bytes
    start_s: float
    end_s: float
    sample_rate: int


class ImageRequest(msgspec.Struct, tag="image"):
    path: bytes
    max_px: int


class PagesRequest(msgspec.Struct, tag="pages"):
    path: bytes
    first_page: int
    max_px: int


class SubtitlesRequest(msgspec.Struct, tag="subtitles"):
    path: bytes
    include_sidecars: bool


class InfoReply(msgspec.Struct, tag="info"):
    info: MediaInfo


class ClipRequest(msgspec.Struct, tag="clip"):
    path: bytes
    start_s: float
    end_s: float
    max_px: int


class FrameReply(msgspec.Struct, tag="frame"):
    pts: int
    time_base: tuple[PositiveInt, PositiveInt]
    time_s: float
    height: int
    width: int


class ReportReply(msgspec.Struct, tag="report"):
    report: VideoReport


class AudioReply(msgspec.Struct, tag="sound"):
    start_s: float
    sample_rate: int


class ImageReply(msgspec.Struct, tag="picture"):
    height: int
    width: int


class PageReply(msgspec.Struct, tag="page"):
    number: int
    lines: list[TextLine]
    trusted: bool
    height: int
    width: int


class SubtitlesReply(msgspec.Struct, tag="lines"):
    lines: list[TextLine]
    warnings: list[str]


class ClipChunkReply(msgspec.Struct, tag="piece"):
    """Some bytes of a clip, in order."""


class DoneReply(msgspec.Struct, tag="done"):
    pass


class HeartbeatReply(msgspec.Struct, tag="beat"):
    """A sign of life during long work."""


class ErrorReply(msgspec.Struct, tag="error"):
    """One of our errors by class name; `spent` where the process had better not go on."""

    error_class: str
    reason: str
    must_restart: bool = False


Request: TypeAlias = (
    ProbeRequest | FramesRequest | AudioRequest | ImageRequest | PagesRequest | SubtitlesRequest | ClipRequest
)
Reply: TypeAlias = (
    InfoReply
    | FrameReply
    | ReportReply
    | AudioReply
    | ImageReply
    | PageReply
    | SubtitlesReply
    | ClipChunkReply
    | DoneReply
    | HeartbeatReply
    | ErrorReply
)


class SandboxProtocolError(Exception):
    """The other side broke the protocol, or is gone."""


class SandboxTimeout(SandboxProtocolError):
    """Nothing came for too long."""


_ENCODER = msgspec.msgpack.Encoder()
_REQUEST_DECODER: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_REPLY_DECODER: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def send(descriptor: int, message: Request | Reply, payload: Payload = b"") -> None:
    """Write all of it; waits while the pipe is full. Errors: OSError (EPIPE) where nobody reads."""
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
    """Wait for the next request, however long. Errors: WireError at the end or on nonsense."""
    return _receive(descriptor, _REQUEST_DECODER.decode, None)[0]


def receive_reply(descriptor: int, read_timeout_s: float) -> tuple[Reply, NDArray[np.uint8]]:
    """The next reply and its payload. Errors: Stalled after `stall_s` without a byte, WireError."""
    return _receive(descriptor, _REPLY_DECODER.decode, read_timeout_s)


def unpack_pixels(payload: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The payload as `[height, width, 3]`. Errors: WireError where it has another size."""
    if height <= 0 or width <= 0 or height * width * 3 != len(payload):
        raise SandboxProtocolError(f"{len(payload)} bytes for a picture of {width} x {height}")
    return payload.reshape(height, width, 3)


def _receive(
    descriptor: int, decode: Callable[[bytes], _T], read_timeout_s: float | None
) -> tuple[_T, NDArray[np.uint8]]:
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
        raise SandboxProtocolError(f"a message that is none: {error}") from error


def _byte_view(payload: Payload) -> memoryview:
    view = payload if isinstance(payload, bytes) else np.ascontiguousarray(payload).reshape(-1).view(np.uint8).data
    return memoryview(view)


def _read_exactly(descriptor: int, view: memoryview, read_timeout_s: float | None) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while len(view):
        if not poll.poll(None if read_timeout_s is None else read_timeout_s * 1000):
            raise SandboxTimeout(f"nothing for {read_timeout_s} s")
        count = os.readv(descriptor, [view])
        if not count:
            raise SandboxProtocolError("the other side is gone")
        view = view[count:]
