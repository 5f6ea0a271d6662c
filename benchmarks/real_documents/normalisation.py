"""Comparison of texts as the bed's truth means it: letters, not their forms, and numbers without separators."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

_THIN_SPACE_IN_NUMBER = re.compile("(?<=\\d)[\u00a0\u2009\u202f](?=\\d{3}(?!\\d))")
_SEPARATOR_IN_NUMBER = re.compile(r"(?<=\d)[,'](?=\d{3}(?!\d))")
_HYPHENS_AND_QUOTES = str.maketrans({**dict.fromkeys("‐‑‒–—―−", "-"), **dict.fromkeys("‘’", "'"), "\u00ad": None})
_UNSPACED = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]"
_SPACE_AT_UNSPACED_LETTER = re.compile(f"(?<={_UNSPACED}) | (?={_UNSPACED})")


def normalise(text: str) -> str:
    """Return a text after NFKC and case folding, white space as single spaces, thousands separators dropped.

    Hyphens, dashes and quotation marks of one kind are one letter.
    """
    text = _THIN_SPACE_IN_NUMBER.sub("", text)
    text = unicodedata.normalize("NFKC", text).casefold().translate(_HYPHENS_AND_QUOTES)
    text = _SEPARATOR_IN_NUMBER.sub("", text)
    return " ".join(text.split())


def contains(text: str, part: str) -> bool:
    """Return whether a part occurs in a text; a number does not occur inside of another, but `3` in `3.00`.

    White space beside Chinese, Japanese and Korean letters does not count: lines break inside of words.
    """
    part, text = (_SPACE_AT_UNSPACED_LETTER.sub("", normalise(side)) for side in (part, text))
    before = r"(?<!\d)(?<!\d[.,])" if part[:1].isdigit() else ""
    after = r"(?!\d)(?![.,]\d*[1-9])" if part[-1:].isdigit() else ""
    return bool(part) and re.search(before + re.escape(part) + after, text) is not None


def contains_alternative(text: str, alternatives: Iterable[Sequence[str]]) -> bool:
    """Return whether all strings of one alternative occur in a text."""
    return any(all(contains(text, part) for part in alternative) for alternative in alternatives)
