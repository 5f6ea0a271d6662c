"""Comparison of texts as the bed's truth means it: letters, not their forms, and numbers without separators."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

_THIN_SPACE_IN_NUMBER = re.compile("(?<=\\d)[\u00a0\u2009\u202f](?=\\d{3}(?!\\d))")
_SEPARATOR_IN_NUMBER = re.compile(r"(?<=\d)[,'’](?=\d{3}(?!\d))")


def normalise(text: str) -> str:
    """Return a text after NFKC and case folding, white space as single spaces, thousands separators dropped."""
    text = _THIN_SPACE_IN_NUMBER.sub("", text)
    text = unicodedata.normalize("NFKC", text).casefold()
    text = _SEPARATOR_IN_NUMBER.sub("", text)
    return " ".join(text.split())


def contains(text: str, part: str) -> bool:
    """Return whether a part occurs in a text; a number does not occur inside of a longer one."""
    part = normalise(part)
    before = r"(?<!\d)(?<!\d[.,])" if part[:1].isdigit() else ""
    after = r"(?!\d)(?![.,]\d)" if part[-1:].isdigit() else ""
    return bool(part) and re.search(before + re.escape(part) + after, normalise(text)) is not None


def contains_alternative(text: str, alternatives: Iterable[Sequence[str]]) -> bool:
    """Return whether all strings of one alternative occur in a text."""
    return any(all(contains(text, part) for part in alternative) for alternative in alternatives)
