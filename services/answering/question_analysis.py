"""What a question names besides its whole: the things that it is about, one by one, and times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from indexer.text.stopwords import ENGLISH_STOPWORDS

_CLAUSE_SEPARATORS = re.compile(r"\s*[,;?!]\s*|\s+(?:and|or|versus|vs|und|oder|et|ou|y|o)\s+", re.IGNORECASE)
_FRAMING_WORDS = """
after appear appeared appearing appears before between came change changed changes come comes does during earlier first
happen happened happens last later many often picture scene see seen show shown shows since time times until video while
"""
TIMESTAMP_PATTERN = re.compile(r"(?<![\d:.])(?:(\d{1,2}):)?(\d{1,2}):([0-5]\d)(?![\d:])")
_NUMBER_WORDS = "one two three four five six seven eight nine ten"
_PREPOSITION_WITH_TIMESTAMP = re.compile(
    rf",?\s*(?:\bat\b|\bfrom\b|\bto\b|\buntil\b)?\s*{TIMESTAMP_PATTERN.pattern}", re.IGNORECASE
)
_MAX_SUB_QUERIES = 4


class TemporalScope(StrEnum):
    """How far a question reaches beyond what it names: not at all, to what came before or after it, to what lies
    between two things, or over all of a video."""

    WITHIN = "within"
    BEFORE = "before"
    AFTER = "after"
    BETWEEN = "between"
    ALL = "all"


_SCOPE_WORDS = {
    TemporalScope.BETWEEN: "between zwischen entre tra",
    TemporalScope.BEFORE: "before until vor bevor bis avant jusque antes hasta prima",
    TemporalScope.AFTER: "after next then since nach danach dann seit après ensuite depuis después luego desde dopo poi",
    TemporalScope.ALL: "about change changed changes during while happen happened happens describe summary summarize whole "
    "story overview overall throughout beginning end anfang ende während passiert début fin pendant inicio durante",
}
"""Words that say so, in some languages; the first that a question holds counts."""


@dataclass(frozen=True, slots=True)
class QuestionAnalysis:
    """`parts` are the things that a question is about, one by one (`the dog or the cat`), bare of what else it says;
    none where it says nothing else, or asks for what is seen at a time. `times_s` are the times that it names, in
    seconds from the beginning, in the order of the clock. What lies between two times is looked at as it is, so that a
    question that names times reaches no further."""

    sub_queries: tuple[str, ...]
    timestamps_s: tuple[float, ...]
    temporal_scope: TemporalScope


def analyze_question(question: str) -> QuestionAnalysis:
    """Read a question. Words that ask or connect are no part of a thing; English ones are known best."""
    pieces = [_strip_framing_words(piece) for piece in _CLAUSE_SEPARATORS.split(TIMESTAMP_PATTERN.sub(" ", question))]
    sub_queries = tuple(dict.fromkeys(piece for piece in pieces if piece))[:_MAX_SUB_QUERIES]
    timestamps_s = tuple(sorted(set(parse_timestamps(question))))
    telling = len(sub_queries) > 1 or (not timestamps_s and sub_queries != (question.strip(),))
    return QuestionAnalysis(
        sub_queries if telling else (),
        timestamps_s,
        TemporalScope.WITHIN if timestamps_s else _detect_scope(question, len(sub_queries)),
    )


def _detect_scope(question: str, sub_query_count: int) -> TemporalScope:
    said = {word.strip("\"'().,;:?!").casefold() for word in question.split()}
    named = [reach for reach, words in _SCOPE_WORDS.items() if said.intersection(words.split())]
    if TemporalScope.BETWEEN in named and sub_query_count < 2:
        return TemporalScope.ALL
    return named[0] if named else TemporalScope.WITHIN


def parse_timestamps(text: str) -> list[float]:
    """The times that a text names, in seconds: `0:12`, `00:12:05`."""
    return [_to_seconds(*match.groups()) for match in TIMESTAMP_PATTERN.finditer(text)]


def strip_timestamps(text: str) -> str:
    """The text without its times, and without the word that leads to each."""
    return _PREPOSITION_WITH_TIMESTAMP.sub("", text)


def _to_seconds(hours: str | None, minutes: str, seconds: str) -> float:
    return 3600.0 * int(hours or 0) + 60.0 * int(minutes) + int(seconds)


def _strip_framing_words(piece: str) -> str:
    """The piece without what stands before its first and behind its last telling word."""
    words = piece.split()
    telling = [number for number, word in enumerate(words) if word.strip("\"'().").casefold() not in _NON_CONTENT_WORDS]
    return " ".join(words[telling[0] : telling[-1] + 1]) if telling else ""


_NON_CONTENT_WORDS = ENGLISH_STOPWORDS.union(_FRAMING_WORDS.split(), _NUMBER_WORDS.split())
"""Words that tell nothing of a thing; how many of it there are is seen better than searched for."""
