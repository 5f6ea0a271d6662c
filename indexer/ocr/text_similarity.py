"""Similarity of two OCR readings: the same text, a fragment, or scrolled."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher

_MIN_SAME_RATIO = 0.8
"""Chosen: similarity ratio of one text read twice; lower merges different lines, higher repeats misread ones."""
_MIN_FRAGMENT_SHARE = 0.9
"""Chosen: share of a fragment that the longer text contains; leaves room for a misread character in ten."""
_MIN_CORE_SHARE = 0.5
"""Chosen: share of a fragment that is one uninterrupted match; less would match scattered letters."""
_MIN_SCROLL_OVERLAP = 0.4
"""Chosen: share of the shorter text that stays in view; a faster ticker begins a new line, a lower share mismatches."""
_MIN_CHARS = 4
"""Chosen: shorter texts match by chance."""
_EDGE_SLACK_CHARS = 2
"""Chosen: characters at the edge of a text that may be misread, since they are often half hidden."""


def is_same(a: str, b: str) -> bool:
    """Return True if two readings are of one text, with small differences in letters but none in digits."""
    a, b = _normalize(a), _normalize(b)
    if a == b:
        return True
    return _digits(a) == _digits(b) and SequenceMatcher(None, a, b, autojunk=False).ratio() >= _MIN_SAME_RATIO


def is_fragment(a: str, b: str) -> bool:
    """Return True if the shorter text is part of the longer one: a line that is being typed or enters the picture."""
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
    """Return True if the end of one text is the beginning of the other: a ticker."""
    a, b = _normalize(before), _normalize(after)
    match = SequenceMatcher(None, a, b, autojunk=False).find_longest_match()
    if abs(match.a - match.b) <= _EDGE_SLACK_CHARS or match.size < max(
        _MIN_CHARS, _MIN_SCROLL_OVERLAP * min(len(a), len(b))
    ):
        return False
    a_ends = match.a + match.size >= len(a) - _EDGE_SLACK_CHARS
    b_ends = match.b + match.size >= len(b) - _EDGE_SLACK_CHARS
    return (a_ends and match.b <= _EDGE_SLACK_CHARS) or (b_ends and match.a <= _EDGE_SLACK_CHARS)


def _normalize(text: str) -> str:
    """Return a text without case and whitespace."""
    return "".join(text.casefold().split())


def _digits(text: str) -> list[str]:
    """Return the runs of digits of a text."""
    return re.findall(r"\d+", text)
