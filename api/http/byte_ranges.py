"""Range requests (RFC 9110, section 14): responses with a whole file, one byte range or several."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence

from fastapi import HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from services.playback.media_access import SourceMedia

_RANGE_PATTERN = re.compile(r"(\d{0,18})-(\d{0,18})")
_MAX_RANGES = 100
"""Chosen: far more than any player or PDF reader asks for; a request with more gets the whole file."""
ByteRange = tuple[int, int]
"""A range of bytes `[start, end)`."""


def range_response(request: Request, media: SourceMedia, headers: dict[str, str]) -> Response:
    """Respond to a GET or HEAD of media, which is read while it is sent. `headers`: also its validators.

    Errors: HTTPException (416) where no requested range lies inside.
    """
    headers = {**headers, "accept-ranges": "bytes"}
    if request.method == "HEAD":
        return Response(headers={**headers, "content-length": str(media.size)})
    known = (headers["etag"], headers["last-modified"])
    unchanged = request.headers.get("if-range", headers["etag"]) in known
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
    """Respond with several ranges as multipart/byteranges (RFC 9110, section 14.6)."""
    boundary, kind = secrets.token_hex(16), headers["content-type"]
    part_head = f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: "
    heads = [f"{part_head}{_content_range(start, end, media.size)}\r\n\r\n".encode() for start, end in ranges]
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
    """Return the ranges of a `Range` header, sorted and merged; empty for no header or a malformed one (whole file).

    Errors: HTTPException (416) where all of them lie outside.
    """
    unit, _, rest = header.partition("=")
    matches = [_RANGE_PATTERN.fullmatch(part.strip()) for part in rest.split(",")]
    if unit.strip().lower() != "bytes" or len(matches) > _MAX_RANGES:
        return []
    ranges = []
    for match in matches:
        if match is None or match[0] == "-" or (match[1] and match[2] and int(match[2]) < int(match[1])):
            return []
        start = int(match[1]) if match[1] else max(size - int(match[2]), 0)
        ranges.append((start, min(int(match[2]) + 1, size) if match[1] and match[2] else size))
    satisfiable = sorted((start, end) for start, end in ranges if start < end)
    if not satisfiable:
        raise HTTPException(416, f"the file has {size} bytes", {"content-range": f"bytes */{size}"})
    return _merge_ranges(satisfiable)


def _merge_ranges(ranges: Sequence[ByteRange]) -> list[ByteRange]:
    """Merge sorted ranges that overlap or touch."""
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
