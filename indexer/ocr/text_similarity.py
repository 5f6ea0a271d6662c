"""Whether two readings are of the same text: read twice, growing, or passing by."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher

_MIN_SAME_RATIO = 0.8
_MIN_FRAGMENT_SHARE = 0.9
_MIN_CORE_SHARE = 0.5
_MIN_SCROLL_OVERLAP = 0.4
_MIN_CHARS = 4
_EDGE_SLACK_CHARS = 2


def is_same(a: str, b: str) -> bool:
    """The same text, read with small differences. Numbers are exempt: where digits differ, the texts do."""
    a, b = _normalize(a), _normalize(b)
    if a == b:
        return True
    return _digits(a) == _digits(b) and SequenceMatcher(None, a, b, autojunk=False).ratio() >= _MIN_SAME_RATIO


def is_fragment(a: str, b: str) -> bool:
    """The shorter text stands inside the longer: a line that is being typed, or that enters the picture."""
    shorter, longer = sorted((_normalize(a), _normalize(b)), key=len)
    if len(shorter) < _MIN_CHARS or not Counter(_digits(shorter)) <= Counter(_digits(longer)):
        return False
    matcher = SequenceMatcher(None, shorter, longer, autojunk=False)
    blocks = [match for match in matcher.get_matching_blocks() if match.size]
    if sum(match.size for match in blocks) < _MIN_FRAGMENT_SHARE * len(shorter):
        return False
    whole = blocks[0].a <= _EDGE_SLACK_CHARS and blocks[-1].a + blocks[-1].size >= len(shorter) - _EDGE_SLACK_CHARS
    return whole and max(match.size for match in blocks) >= _MIN_CORE_SHARE * len(shorter)


def is_scrolled(before: str, after: str) -> bool:
    """The end of one is the beginning of the other: a ticker, whose text passes by."""
    a, b = _normalize(before), _normalize(after)
    match = SequenceMatcher(None, a, b, autojunk=False).find_longest_match()
    if abs(match.a - match.b) <= _EDGE_SLACK_CHARS or match.size < max(
        _MIN_CHARS, _MIN_SCROLL_OVERLAP * min(len(a), len(b))
    ):
        return False
    a_ends, b_ends = (
        match.a + match.size >= len(a) - _EDGE_SLACK_CHARS,
        match.b + match.size >= len(b) - _EDGE_SLACK_CHARS,
    )
    return (a_ends and match.b <= _EDGE_SLACK_CHARS) or (b_ends and match.a <= _EDGE_SLACK_CHARS)


def _normalize(text: str) -> str:
    return "".join(text.casefold().split())


def _digits(text: str) -> list[str]:
    return re.findall(r"\d+", text)
