"""What a question names besides its whole: the things that it is about, one by one, and times."""

from __future__ import annotations

import re
from dataclasses import dataclass

from indexer.indexes.function_words import ENGLISH

_JOINTS = re.compile(r"\s*[,;?!]\s*|\s+(?:and|or|versus|vs|und|oder|et|ou|y|o)\s+", re.IGNORECASE)
_FRAMING = """
after appear appeared appearing appears before between came change changed changes come comes does during earlier first
happen happened happens last later many often picture scene see seen show shown shows since time times until video while
"""
TIME = re.compile(r"(?<![\d:.])(?:(\d{1,2}):)?(\d{1,2}):([0-5]\d)(?![\d:])")
_LED_TIME = re.compile(rf",?\s*(?:\bat\b|\bfrom\b|\bto\b|\buntil\b)?\s*{TIME.pattern}", re.IGNORECASE)
_MOST_PARTS = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """`parts` are the things that a question joins (`the dog or the cat`), none where it is about one; `times_s` the
    times that it names, in seconds from the beginning, in the order of the clock."""

    parts: tuple[str, ...]
    times_s: tuple[float, ...]


def asked(question: str) -> Asked:
    """Read a question. Words that ask or connect are no part of a thing; English ones are known best."""
    pieces = [_thing(piece) for piece in _JOINTS.split(TIME.sub(" ", question))]
    parts = tuple(dict.fromkeys(piece for piece in pieces if piece))[:_MOST_PARTS]
    return Asked(parts if len(parts) > 1 else (), tuple(sorted(set(times_in(question)))))


def times_in(text: str) -> list[float]:
    """The times that a text names, in seconds: `0:12`, `00:12:05`."""
    return [_seconds(*match.groups()) for match in TIME.finditer(text)]


def without_times(text: str) -> str:
    """The text without its times, and without the word that leads to each."""
    return _LED_TIME.sub("", text)


def _seconds(hours: str | None, minutes: str, seconds: str) -> float:
    return 3600.0 * int(hours or 0) + 60.0 * int(minutes) + int(seconds)


def _thing(piece: str) -> str:
    """The piece without what stands before its first and behind its last telling word."""
    words = piece.split()
    telling = [number for number, word in enumerate(words) if word.strip("\"'().").casefold() not in _SILENT]
    return " ".join(words[telling[0] : telling[-1] + 1]) if telling else ""


_SILENT = ENGLISH.union(_FRAMING.split())
