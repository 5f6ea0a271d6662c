"""Identifiers in text: codes, long numbers and options of commands, which mean one thing and are looked for exactly."""

from __future__ import annotations

import re

_MIN_CODE_CHARS = 5
"""Chosen: shorter codes (A4, mp3, v2) are words of everyday language."""
_MIN_DIGITS = 3
"""Chosen: `E-774` is a code, `10-year-old` is not."""
_OPTION = re.compile(r"(?<![\w-])--?[A-Za-z0-9][A-Za-z0-9-]*")
_CODE = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]+(?:[-._/:#@][A-Za-z0-9]+)*")
_MIXED_PART = re.compile(r"[A-Za-z][0-9]|[0-9][A-Za-z]")


def find_identifiers(text: str) -> frozenset[str]:
    """Return the identifiers in a text: options as written (`-e` is not `-E`), codes and numbers in lower case."""
    options = (option for option in _OPTION.findall(text) if not option.lstrip("-").isdigit())
    return frozenset([*options, *(code.lower() for code in _CODE.findall(text) if _is_identifier(code))])


def _is_identifier(code: str) -> bool:
    digits = sum(character.isdigit() for character in code)
    if len(code) < _MIN_CODE_CHARS or digits == 0:
        return False
    if digits == sum(character.isalnum() for character in code):
        return digits >= _MIN_CODE_CHARS
    return digits >= _MIN_DIGITS or any(_MIXED_PART.search(part) for part in re.split(r"[-._/:#@]", code))
