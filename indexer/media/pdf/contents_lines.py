"""Lines of a table of contents: a title, dots or a gap, and a page number, in a row with numbers that rise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from indexer.types import TextLine

_MIN_ENTRIES = 3
"""Chosen: entries in a row with dots between title and page number; two may be a price list."""
_MIN_ENTRIES_WITHOUT_DOTS = 4
"""Chosen: entries in a row without dots, on a page that says that it is a table of contents."""
_MAX_TITLE_LINES = 2
"""Chosen: lines between two entries that belong to a title of several lines, or are chapters without a number."""
_MIN_RISING = 0.9
"""Chosen: share of the entries whose number is not lower than the one before; columns and parts begin anew."""
_DOTS = r"(?:[.·․‥…。・]\s*){3,}|…\s*"
_NUMBER = r"(?P<number>\d{1,4}|[ivxlc]{1,7}|[A-Z]-?\d{1,3})"
_DOTTED = re.compile(rf"(?P<title>.*?)\s*(?:{_DOTS})\s*{_NUMBER}\s*")
_PLAIN = re.compile(rf"(?P<title>.*\w.*?)\s+{_NUMBER}\s*")
_HEADING = re.compile(
    r"\W*(?:(?:table of )?contents|inhalt(?:sverzeichnis|sübersicht)?|table des mati[eè]res|sommaire|"
    r"[ií]ndice(?: general)?|contenidos?|tabla de contenidos?|"
    r"содержание|оглавление|목\s*차|차\s*례|目\s*次|もくじ|目\s*录|目\s*錄)\W*",
    re.IGNORECASE,
)
"""Source: headings of tables of contents in the languages of the product."""


def find_contents_lines(lines: Sequence[TextLine], continues: bool) -> set[int]:
    """Return the indices of the lines of a table of contents, its heading included.

    `continues`: the page before ends with a table of contents. Page numbers rise from entry to entry; a list of prices
    does so by chance only.
    """
    headings = {i for i, line in enumerate(lines) if _HEADING.fullmatch(line.text)}
    found = _find_entries(lines, _DOTTED, _MIN_ENTRIES, 0)
    if headings or continues:
        found |= _find_entries(lines, _PLAIN, _MIN_ENTRIES_WITHOUT_DOTS, 0 if continues else min(headings))
    return found | {i for i in headings if i + 1 in found or i + 2 in found} if found else set()


def _find_entries(lines: Sequence[TextLine], pattern: re.Pattern[str], min_entries: int, first: int) -> set[int]:
    """Return the lines of runs of entries, from index `first` on, with the lines of titles between them."""
    texts = {i: line.text.replace("\t", "  ") for i, line in enumerate(lines) if i >= first}
    matches = {i: match for i, text in texts.items() if (match := pattern.fullmatch(text))}
    found: set[int] = set()
    for run in _runs(sorted(matches)):
        rising = sum(_rises(matches[a], matches[b]) for a, b in pairwise(run))
        if len(run) >= min_entries and rising >= (len(run) - 1) * _MIN_RISING:
            found |= set(range(run[0], run[-1] + 1))
    return found


def _runs(entries: Sequence[int]) -> list[list[int]]:
    """Return the indices of entries in runs with few other lines between them."""
    runs: list[list[int]] = []
    for i in entries:
        if runs and i - runs[-1][-1] <= _MAX_TITLE_LINES + 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    return runs


def _rises(before: re.Match[str], after: re.Match[str]) -> bool:
    """Return True if the page number of an entry is not lower than that of the one before; letters always pass."""
    a, b = before["number"], after["number"]
    return not (a.isdigit() and b.isdigit()) or int(a) <= int(b)
