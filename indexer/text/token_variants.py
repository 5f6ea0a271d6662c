"""Variants of compounds and codes that a text is also found by: joined, and divided between letters and digits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from indexer.text.stopwords import ENGLISH_STOPWORDS

_MAX_CODE_CHARS = 24
"""Chosen: longer runs are hashes and keys, of which nobody searches a part."""
_MAX_RUNS = 4
"""Chosen: codes change between letters and digits at most this often less one; hashes more often."""
_MIN_PART_CHARS = 2
"""Chosen: a single letter or digit of a code says nothing."""
_PAIR = 2  # Form: parts of the shortest compound
_RUN = re.compile(r"[^\W\d_]+|\d+")
_SEPARATORS = re.compile(r"[-./]")
_NEIGHBOURS = re.compile(r"(?<![^\W_])(?=([^\W_]+[-./][^\W_]+))")
_SPACED_CODE = re.compile(r"(?<![\w-])[A-Z0-9]{1,5}(?:[ -][A-Z0-9]{1,5}){1,3}(?![\w-])")


def compound_variants(word: str) -> Iterator[str]:
    """Yield a folded compound or code joined, and the parts of a code that has no separators.

    `well-known` gives `wellknown`; `e-7741` gives `e7741`; `re16xyz` gives `re16`, `16xyz`, `re`, `16`, `xyz`.
    """
    parts = _SEPARATORS.split(word)
    if len(parts) > 1:
        yield from _joined(word, parts)
        return
    runs = _RUN.findall(word)
    if 1 < len(runs) <= _MAX_RUNS and len(word) <= _MAX_CODE_CHARS and "".join(runs) == word:
        for start in range(len(runs)):
            for end in range(start + 1, len(runs) + 1):
                part = "".join(runs[start:end])
                if _MIN_PART_CHARS <= len(part) < len(word):
                    yield part


def spaced_codes(text: str) -> Iterator[str]:
    """Yield the codes of capitals and digits that are written with spaces, joined: `RE16 XYZ` as `re16xyz`."""
    for match in _SPACED_CODE.finditer(text):
        joined = re.sub("[ -]", "", match[0]).casefold()
        if " " in match[0] and not joined.isalpha() and not joined.isdigit():
            yield joined


def _joined(word: str, parts: list[str]) -> Iterator[str]:
    """Yield a compound of letters joined, whole and by two neighbours; a code joined, and each two neighbours of it."""
    if all(part.isalpha() for part in parts):
        if "." in word or "/" in word:
            return
        yield "".join(parts)
        if len(parts) > _PAIR:
            yield from (left + right for left, right in pairwise(parts) if not {left, right} & ENGLISH_STOPWORDS)
    elif all(part.isalnum() for part in parts) and len(word) <= _MAX_CODE_CHARS and re.search(r"[^\W\d_]", word):
        yield "".join(parts)
        if len(parts) > _PAIR:
            yield from (match[1] for match in _NEIGHBOURS.finditer(word) if re.search(r"\d", match[1]))
