"""Whether two readings are of the same text: read twice, growing, or passing by."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher

_ALIKE = 0.8
_PART = 0.9
_CORE = 0.5
_OVERLAP = 0.4
_SHORTEST = 4
_SLACK = 2


def alike(a: str, b: str) -> bool:
    """The same text, read with small differences. Numbers are exempt: where digits differ, the texts do."""
    a, b = _folded(a), _folded(b)
    if a == b:
        return True
    return _digits(a) == _digits(b) and SequenceMatcher(None, a, b, autojunk=False).ratio() >= _ALIKE


def part_of(a: str, b: str) -> bool:
    """The shorter text stands inside the longer: a line that is being typed, or that enters the picture."""
    shorter, longer = sorted((_folded(a), _folded(b)), key=len)
    if len(shorter) < _SHORTEST or not Counter(_digits(shorter)) <= Counter(_digits(longer)):
        return False
    matcher = SequenceMatcher(None, shorter, longer, autojunk=False)
    blocks = [match for match in matcher.get_matching_blocks() if match.size]
    if sum(match.size for match in blocks) < _PART * len(shorter):
        return False
    whole = blocks[0].a <= _SLACK and blocks[-1].a + blocks[-1].size >= len(shorter) - _SLACK
    return whole and max(match.size for match in blocks) >= _CORE * len(shorter)


def shifted(before: str, after: str) -> bool:
    """The end of one is the beginning of the other: a ticker, whose text passes by."""
    a, b = _folded(before), _folded(after)
    match = SequenceMatcher(None, a, b, autojunk=False).find_longest_match()
    if abs(match.a - match.b) <= _SLACK or match.size < max(_SHORTEST, _OVERLAP * min(len(a), len(b))):
        return False
    a_ends, b_ends = match.a + match.size >= len(a) - _SLACK, match.b + match.size >= len(b) - _SLACK
    return (a_ends and match.b <= _SLACK) or (b_ends and match.a <= _SLACK)


def _folded(text: str) -> str:
    return "".join(text.casefold().split())


def _digits(text: str) -> list[str]:
    return re.findall(r"\d+", text)
