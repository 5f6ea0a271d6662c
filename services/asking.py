"""What a question names besides its whole: the things that it is about, one by one, and times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from indexer.indexes.function_words import ENGLISH

_JOINTS = re.compile(r"\s*[,;?!]\s*|\s+(?:and|or|versus|vs|und|oder|et|ou|y|o)\s+", re.IGNORECASE)
_FRAMING = """
after appear appeared appearing appears before between came change changed changes come comes does during earlier first
happen happened happens last later many often picture scene see seen show shown shows since time times until video while
"""
TIME = re.compile(r"(?<![\d:.])(?:(\d{1,2}):)?(\d{1,2}):([0-5]\d)(?![\d:])")
_COUNTED = "one two three four five six seven eight nine ten"
_LED_TIME = re.compile(rf",?\s*(?:\bat\b|\bfrom\b|\bto\b|\buntil\b)?\s*{TIME.pattern}", re.IGNORECASE)
_MOST_PARTS = 4


class Reach(StrEnum):
    """How far a question reaches beyond what it names: not at all, to what came before or after it, to what lies
    between two things, or over all of a video."""

    WITHIN = "within"
    BEFORE = "before"
    AFTER = "after"
    BETWEEN = "between"
    ALL = "all"


_REACHES = {
    Reach.BETWEEN: "between zwischen entre tra",
    Reach.BEFORE: "before until vor bevor bis avant jusque antes hasta prima",
    Reach.AFTER: "after next then since nach danach dann seit après ensuite depuis después luego desde dopo poi",
    Reach.ALL: "about change changed changes during while happen happened happens describe summary summarize whole "
    "story overview overall throughout beginning end anfang ende während passiert début fin pendant inicio durante",
}
"""Words that say so, in some languages; the first that a question holds counts."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`parts` are the things that a question is about, one by one (`the dog or the cat`), bare of what else it says;
    none where it says nothing else, or asks for what is seen at a time. `times_s` are the times that it names, in
    seconds from the beginning, in the order of the clock. What lies between two times is looked at as it is, so that a
    question that names times reaches no further."""

    parts: tuple[str, ...]
    times_s: tuple[float, ...]
    reach: Reach


def asked(question: str) -> Asked:
    """Read a question. Words that ask or connect are no part of a thing; English ones are known best."""
    pieces = [_thing(piece) for piece in _JOINTS.split(TIME.sub(" ", question))]
    parts = tuple(dict.fromkeys(piece for piece in pieces if piece))[:_MOST_PARTS]
    times_s = tuple(sorted(set(times_in(question))))
    telling = len(parts) > 1 or (not times_s and parts != (question.strip(),))
    return Asked(parts if telling else (), times_s, Reach.WITHIN if times_s else _reach(question, len(parts)))


def _reach(question: str, parts: int) -> Reach:
    said = {word.strip("\"'().,;:?!").casefold() for word in question.split()}
    named = [reach for reach, words in _REACHES.items() if said.intersection(words.split())]
    if Reach.BETWEEN in named and parts < 2:
        return Reach.ALL
    return named[0] if named else Reach.WITHIN


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


_SILENT = ENGLISH.union(_FRAMING.split(), _COUNTED.split())
"""Words that tell nothing of a thing; how many of it there are is seen better than searched for."""
