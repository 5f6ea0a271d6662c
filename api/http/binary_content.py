"""OpenAPI of responses that are files: bytes of some media types, so that generated clients do not expect JSON."""

from __future__ import annotations

from typing import Any

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "It is what the client has"}}
"""Source: RFC 9110, section 15.4.5: the response to a conditional request, without a body."""


def binary_content(*media_types: str) -> dict[str, Any]:
    """Return the `content` of an OpenAPI response: bytes, as one of these media types."""
    return {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in media_types}
