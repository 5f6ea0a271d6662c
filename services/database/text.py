"""Sanitizing of text for storage: valid Unicode without control characters, on one line."""

from __future__ import annotations

from pathlib import Path
from unicodedata import category

_UNPRINTABLE_CATEGORIES = {"Cc", "Zl", "Zp"}


def sanitize(name: Path | str) -> str:
    """Return a name as one storable, printable line; undecodable bytes and control characters become U+FFFD."""
    text = str(name).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join("\N{REPLACEMENT CHARACTER}" if category(char) in _UNPRINTABLE_CATEGORIES else char for char in text)
