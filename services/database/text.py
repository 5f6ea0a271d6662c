"""Text that every supported database can store."""

from __future__ import annotations

from pathlib import Path
from unicodedata import category

_UNPRINTABLE_CATEGORIES = {"Cc", "Zl", "Zp"}


def sanitize(name: Path | str) -> str:
    """A name as one line that can be stored and shown, whatever bytes a file system (or a subtitle) put into it."""
    text = str(name).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join("\N{REPLACEMENT CHARACTER}" if category(char) in _UNPRINTABLE_CATEGORIES else char for char in text)
