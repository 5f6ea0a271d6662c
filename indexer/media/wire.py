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

from indexer.media.video import FramePlan, VideoReport
from indexer.types import MediaInfo, TextLine

MAX_BODY_BYTES = 64 << 20
MAX_PAYLOAD_BYTES = 640 << 20
_HEAD = struct.Struct("<II")

_T = TypeVar("_T")
Positive: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]

Payload: TypeAlias = bytes | NDArray[np.uint8] | NDArray[np.float32]


class ProbeRequest(msgspec.Struct, tag="probe"):
    path: bytes


class FramesRequest(msgspec.Struct, tag="frames"):
    path: bytes
    plan: FramePlan


class AudioRequest(msgspec.Struct, tag="audio"):
    path: bytes
    start_s: float
    end_s: float
    rate: int


class ImageRequest(msgspec.Struct, tag="image"):
    path: bytes
    max_px: int


class PagesRequest(msgspec.Struct, tag="pages"):
    path: bytes
    first: int
    max_px: int


class SubtitlesRequest(msgspec.Struct, tag="subtitles"):
    path: bytes
    sidecars: bool


class InfoReply(msgspec.Struct, tag="info"):
    info: MediaInfo


class ClipRequest(msgspec.Struct, tag="clip"):
    path: bytes
    start_s: float
    end_s: float
    max_px: int


class FrameReply(msgspec.Struct, tag="frame"):
    pts: int
    time_base: tuple[Positive, Positive]
    time_s: float
    height: int
    width: int


class ReportReply(msgspec.Struct, tag="report"):
    report: VideoReport


class AudioReply(msgspec.Struct, tag="sound"):
    start_s: float
    rate: int


class ImageReply(msgspec.Struct, tag="picture"):
    height: int
    width: int


class PageReply(msgspec.Struct, tag="page"):
    number: int
    lines: list[TextLine]
    trusted: bool
    height: int
    width: int


class LinesReply(msgspec.Struct, tag="lines"):
    lines: list[TextLine]
    warnings: list[str]


class PieceReply(msgspec.Struct, tag="piece"):
    """Some bytes of a clip, in order."""


class DoneReply(msgspec.Struct, tag="done"):
    pass


class BeatReply(msgspec.Struct, tag="beat"):
    """A sign of life during long work."""


class ErrorReply(msgspec.Struct, tag="error"):
    """One of our errors by class name; `spent` where the process had better not go on."""

    kind: str
    reason: str
    spent: bool = False


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
    | LinesReply
    | PieceReply
    | DoneReply
    | BeatReply
    | ErrorReply
)


class WireError(Exception):
    """The other side broke the protocol, or is gone."""


class Stalled(WireError):
    """Nothing came for too long."""


_ENCODER = msgspec.msgpack.Encoder()
_REQUESTS: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_REPLIES: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def send(descriptor: int, message: Request | Reply, payload: Payload = b"") -> None:
    """Write all of it; waits while the pipe is full. Errors: OSError (EPIPE) where nobody reads."""
    body = _ENCODER.encode(message)
    raw = _bytes_of(payload)
    parts = [memoryview(_HEAD.pack(len(body), len(raw))), memoryview(body), raw]
    while parts:
        written = os.writev(descriptor, parts)
        while parts and written >= len(parts[0]):
            written -= len(parts.pop(0))
        if parts and written:
            parts[0] = parts[0][written:]


def receive_request(descriptor: int) -> Request:
    """Wait for the next request, however long. Errors: WireError at the end or on nonsense."""
    return _received(descriptor, _REQUESTS.decode, None)[0]


def receive_reply(descriptor: int, stall_s: float) -> tuple[Reply, NDArray[np.uint8]]:
    """The next reply and its payload. Errors: Stalled after `stall_s` without a byte, WireError."""
    return _received(descriptor, _REPLIES.decode, stall_s)


def picture(payload: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The payload as `[height, width, 3]`. Errors: WireError where it has another size."""
    if height <= 0 or width <= 0 or height * width * 3 != len(payload):
        raise WireError(f"{len(payload)} bytes for a picture of {width} x {height}")
    return payload.reshape(height, width, 3)


def _received(descriptor: int, decode: Callable[[bytes], _T], stall_s: float | None) -> tuple[_T, NDArray[np.uint8]]:
    head = bytearray(_HEAD.size)
    _fill(descriptor, memoryview(head), stall_s)
    body_bytes, payload_bytes = _HEAD.unpack(head)
    if body_bytes > MAX_BODY_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
        raise WireError(f"a message of {body_bytes} + {payload_bytes} bytes")
    body = bytearray(body_bytes)
    _fill(descriptor, memoryview(body), stall_s)
    payload = np.empty(payload_bytes, np.uint8)
    _fill(descriptor, _bytes_of(payload), stall_s)
    try:
        return decode(bytes(body)), payload
    except (msgspec.MsgspecError, ValueError) as error:
        raise WireError(f"a message that is none: {error}") from error


def _bytes_of(payload: Payload) -> memoryview:
    view = payload if isinstance(payload, bytes) else np.ascontiguousarray(payload).reshape(-1).view(np.uint8).data
    return memoryview(view)


def _fill(descriptor: int, view: memoryview, stall_s: float | None) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while len(view):
        if not poll.poll(None if stall_s is None else stall_s * 1000):
            raise Stalled(f"nothing for {stall_s} s")
        count = os.readv(descriptor, [view])
        if not count:
            raise WireError("the other side is gone")
        view = view[count:]
