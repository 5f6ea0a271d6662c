"""Long lists, a page at a time: each ends with the place where the next one begins, whatever comes or goes."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Generic, TypeVar

from indexer.errors import InvalidInput

Item = TypeVar("Item")
_MAX_LIMIT = 500


@dataclass(frozen=True, slots=True)
class CursorPage(Generic[Item]):
    """Some items of a list, in its order. `after` asks for the next page; None: this is the last."""

    items: tuple[Item, ...]
    next_cursor: str | None


def encode_cursor(time: float, key: str) -> str:
    """The place behind an item in a list that is sorted by a Unix time and, where that is the same, by a key."""
    return base64.urlsafe_b64encode(f"{time!r} {key}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[float, str]:
    """The time and the key that a cursor stands for. Errors: QueryError for what is no cursor."""
    try:
        text = base64.b64decode(f"{cursor}{'=' * (-len(cursor) % 4)}", altchars=b"-_", validate=True).decode()
        time, key = text.split(" ", 1)
        return float(time), key
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"{cursor[:80]!r} is no place in a list") from error


def validate_limit(limit: int) -> int:
    """How many items a page may have. Errors: QueryError."""
    if not 1 <= limit <= _MAX_LIMIT:
        raise InvalidInput(f"a page holds 1 to {_MAX_LIMIT} items, not {limit}")
    return limit
