"""Parse times that a text names: `0:12`, `00:12:05`."""

from __future__ import annotations

import re

TIMESTAMP_PATTERN = re.compile(r"(?<![\d:.])(?:(\d{1,2}):)?(\d{1,2}):([0-5]\d)(?![\d:])")
_PREPOSITION_WITH_TIMESTAMP = re.compile(
    rf",?\s*(?:\bat\b|\bfrom\b|\bto\b|\buntil\b)?\s*{TIMESTAMP_PATTERN.pattern}", re.IGNORECASE
)


def parse_timestamps(text: str) -> list[float]:
    """Return the times that a text names, in seconds, in the order in which it names them."""
    return [_to_seconds(*match.groups()) for match in TIMESTAMP_PATTERN.finditer(text)]


def strip_timestamps(text: str) -> str:
    """Return the text without its times, and without the preposition before each."""
    return _PREPOSITION_WITH_TIMESTAMP.sub("", text)


def _to_seconds(hours: str | None, minutes: str, seconds: str) -> float:
    return 3600.0 * int(hours or 0) + 60.0 * int(minutes) + int(seconds)
