"""Long lists, a page at a time: each ends with the place where the next one begins, whatever comes or goes."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Generic, TypeVar

from indexer.errors import QueryError

Item = TypeVar("Item")
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list, in its order. `after` asks for the next page; None: this is the last."""

    items: tuple[Item, ...]
    after: str | None


def cursor(time: float, key: str) -> str:
    """The place behind an item in a list that is sorted by a Unix time and, where that is the same, by a key."""
    return base64.urlsafe_b64encode(f"{time!r} {key}".encode()).decode().rstrip("=")


def place(after: str) -> tuple[float, str]:
    """The time and the key that a cursor stands for. Errors: QueryError for what is no cursor."""
    try:
        text = base64.b64decode(f"{after}{'=' * (-len(after) % 4)}", altchars=b"-_", validate=True).decode()
        time, key = text.split(" ", 1)
        return float(time), key
    except (binascii.Error, ValueError) as error:
        raise QueryError(f"{after[:80]!r} is no place in a list") from error


def checked_limit(limit: int) -> int:
    """How many items a page may have. Errors: QueryError."""
    if not 1 <= limit <= _LONGEST:
        raise QueryError(f"a page holds 1 to {_LONGEST} items, not {limit}")
    return limit
