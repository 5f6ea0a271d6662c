"""Cursor pagination: a page of a sorted list and the cursor of the next one, stable under insertions and deletions."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Generic, TypeVar

from indexer.errors import InvalidInput

Item = TypeVar("Item")
_MAX_LIMIT = 500
"""Chosen: bounds the memory of one response; a longer list takes more requests."""


@dataclass(frozen=True, slots=True)
class CursorPage(Generic[Item]):
    """One page of a sorted list; `next_cursor` requests the next page and is None on the last."""

    items: tuple[Item, ...]
    next_cursor: str | None


def encode_cursor(time: float, key: str) -> str:
    """Encode the position after an item of a list sorted by Unix time, then by key (URL-safe base64)."""
    return base64.urlsafe_b64encode(f"{time!r} {key}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[float, str]:
    """Return the time and the key of a cursor. Errors: InvalidInput for a malformed one."""
    try:
        text = base64.b64decode(f"{cursor}{'=' * (-len(cursor) % 4)}", altchars=b"-_", validate=True).decode()
        time, key = text.split(" ", 1)
        return float(time), key
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"{cursor[:80]!r} is not a valid cursor") from error


def validate_limit(limit: int) -> int:
    """Return the page size if it is allowed. Errors: InvalidInput."""
    if not 1 <= limit <= _MAX_LIMIT:
        raise InvalidInput(f"a page holds 1 to {_MAX_LIMIT} items, not {limit}")
    return limit
