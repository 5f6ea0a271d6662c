"""Ranges of bytes (RFC 9110, 14): a file whole, or those of its stretches that a client wants."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from email.utils import formatdate

from fastapi import HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from services.showing import Media

_RANGE = re.compile(r"(\d{0,18})-(\d{0,18})")
_MOST_RANGES = 100
Stretch = tuple[int, int]
"""Bytes `[start, end)`."""


def ranged(request: Request, media: Media, tag: str, headers: dict[str, str]) -> Response:
    """The answer to a GET or HEAD of media: read while it is sent, a piece at a time. `tag`: its strong ETag.

    Errors: HTTPException where it has none of the bytes that are wanted.
    """
    headers = {**headers, "accept-ranges": "bytes", "etag": tag}
    if media.modified is not None:
        headers["last-modified"] = formatdate(media.modified, usegmt=True)
    if request.method == "HEAD":
        return Response(headers={**headers, "content-length": str(media.size)})
    unchanged = request.headers.get("if-range", tag) in (tag, headers.get("last-modified"))
    match _wanted(request.headers.get("range", "") if unchanged else "", media.size):
        case []:
            length = {"content-length": str(media.size)}
            return StreamingResponse(media.read(0, media.size), headers=headers | length)
        case [(start, end)]:
            about = {"content-range": _place(start, end, media.size), "content-length": str(end - start)}
            return StreamingResponse(media.read(start, end), 206, headers | about)
        case several:
            return _several(media, several, headers)


def _several(media: Media, stretches: Sequence[Stretch], headers: dict[str, str]) -> Response:
    """Several stretches, each with a head that says which (RFC 9110, 14.6)."""
    boundary, kind = secrets.token_hex(16), headers["content-type"]
    heads = [
        f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {_place(*one, media.size)}\r\n\r\n".encode()
        for one in stretches
    ]
    last = f"--{boundary}--\r\n".encode()

    def parts() -> Iterator[bytes]:
        for head, (start, end) in zip(heads, stretches, strict=True):
            yield head
            yield from media.read(start, end)
            yield b"\r\n"
        yield last

    length = sum(len(head) + end - start + 2 for head, (start, end) in zip(heads, stretches, strict=True)) + len(last)
    about = {"content-type": f"multipart/byteranges; boundary={boundary}", "content-length": str(length)}
    return StreamingResponse(parts(), 206, headers | about)


def _wanted(said: str, size: int) -> list[Stretch]:
    """The stretches of a `Range`, in order, each byte once. None: all is wanted; what is no range is as good as none.

    Errors: HTTPException where all of them lie outside.
    """
    unit, _, rest = said.partition("=")
    found = [_RANGE.fullmatch(part.strip()) for part in rest.split(",")]
    if unit.strip().lower() != "bytes" or len(found) > _MOST_RANGES:
        return []
    stretches = []
    for one in found:
        if one is None or one[0] == "-" or (one[1] and one[2] and int(one[2]) < int(one[1])):
            return []
        start = int(one[1]) if one[1] else max(size - int(one[2]), 0)
        stretches.append((start, min(int(one[2]) + 1, size) if one[1] and one[2] else size))
    inside = sorted(one for one in stretches if one[0] < one[1])
    if not inside:
        raise HTTPException(416, f"it has {size} bytes", {"content-range": f"bytes */{size}"})
    return _joined(inside)


def _joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    joined = [stretches[0]]
    for start, end in stretches[1:]:
        first, last = joined[-1]
        if start <= last:
            joined[-1] = first, max(last, end)
        else:
            joined.append((start, end))
    return joined


def _place(start: int, end: int, size: int) -> str:
    return f"bytes {start}-{end - 1}/{size}"
