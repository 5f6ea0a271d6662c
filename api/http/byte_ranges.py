"""Ranges of bytes (RFC 9110, 14): a file whole, or those of its stretches that a client wants."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from email.utils import formatdate

from fastapi import HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from services.playback.media_access import SourceMedia

_RANGE_PATTERN = re.compile(r"(\d{0,18})-(\d{0,18})")
_MAX_RANGES = 100
ByteRange = tuple[int, int]
"""Bytes `[start, end)`."""


def range_response(request: Request, media: SourceMedia, etag: str, headers: dict[str, str]) -> Response:
    """The answer to a GET or HEAD of media: read while it is sent, a piece at a time. `tag`: its strong ETag.

    Errors: HTTPException where it has none of the bytes that are wanted.
    """
    headers = {**headers, "accept-ranges": "bytes", "etag": etag}
    if media.modified_at is not None:
        headers["last-modified"] = formatdate(media.modified_at, usegmt=True)
    if request.method == "HEAD":
        return Response(headers={**headers, "content-length": str(media.size)})
    unchanged = request.headers.get("if-range", etag) in (etag, headers.get("last-modified"))
    match _parse_ranges(request.headers.get("range", "") if unchanged else "", media.size):
        case []:
            length = {"content-length": str(media.size)}
            return StreamingResponse(media.read_range(0, media.size), headers=headers | length)
        case [(start, end)]:
            range_headers = {
                "content-range": _content_range(start, end, media.size),
                "content-length": str(end - start),
            }
            return StreamingResponse(media.read_range(start, end), 206, headers | range_headers)
        case several:
            return _multipart_response(media, several, headers)


def _multipart_response(media: SourceMedia, ranges: Sequence[ByteRange], headers: dict[str, str]) -> Response:
    """Several stretches, each with a head that says which (RFC 9110, 14.6)."""
    boundary, kind = secrets.token_hex(16), headers["content-type"]
    heads = [
        f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {_content_range(*one, media.size)}\r\n\r\n".encode()
        for one in ranges
    ]
    last = f"--{boundary}--\r\n".encode()

    def parts() -> Iterator[bytes]:
        for head, (start, end) in zip(heads, ranges, strict=True):
            yield head
            yield from media.read_range(start, end)
            yield b"\r\n"
        yield last

    length = sum(len(head) + end - start + 2 for head, (start, end) in zip(heads, ranges, strict=True)) + len(last)
    part_headers = {"content-type": f"multipart/byteranges; boundary={boundary}", "content-length": str(length)}
    return StreamingResponse(parts(), 206, headers | part_headers)


def _parse_ranges(header: str, size: int) -> list[ByteRange]:
    """The stretches of a `Range`, in order, each byte once. None: all is wanted; what is no range is as good as none.

    Errors: HTTPException where all of them lie outside.
    """
    unit, _, rest = header.partition("=")
    matches = [_RANGE_PATTERN.fullmatch(part.strip()) for part in rest.split(",")]
    if unit.strip().lower() != "bytes" or len(matches) > _MAX_RANGES:
        return []
    ranges = []
    for one in matches:
        if one is None or one[0] == "-" or (one[1] and one[2] and int(one[2]) < int(one[1])):
            return []
        start = int(one[1]) if one[1] else max(size - int(one[2]), 0)
        ranges.append((start, min(int(one[2]) + 1, size) if one[1] and one[2] else size))
    satisfiable = sorted(one for one in ranges if one[0] < one[1])
    if not satisfiable:
        raise HTTPException(416, f"it has {size} bytes", {"content-range": f"bytes */{size}"})
    return _merge_ranges(satisfiable)


def _merge_ranges(ranges: Sequence[ByteRange]) -> list[ByteRange]:
    merged = [ranges[0]]
    for start, end in ranges[1:]:
        first, last = merged[-1]
        if start <= last:
            merged[-1] = first, max(last, end)
        else:
            merged.append((start, end))
    return merged


def _content_range(start: int, end: int, size: int) -> str:
    return f"bytes {start}-{end - 1}/{size}"
