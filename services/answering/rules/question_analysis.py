"""Analyze a question by rules: decompose it into sub-queries, parse its times, detect its temporal scope."""

from __future__ import annotations

import re
from collections.abc import Sequence

from indexer.text.stopwords import ENGLISH_STOPWORDS
from services.answering.rules.followup_questions import contextualize_query
from services.answering.rules.timestamps import TIMESTAMP_PATTERN, parse_timestamps
from services.answering.types import QuestionAnalysis, TemporalScope

_CLAUSE_SEPARATORS = re.compile(r"\s*[,;?!]\s*|\s+(?:and|or|versus|vs|und|oder|et|ou|y|o)\s+", re.IGNORECASE)
_FRAMING_WORDS = """
after appear appeared appearing appears before between came change changed changes come comes does during earlier first
happen happened happens last later many often picture scene see seen show shown shows since time times until video while
"""
_NUMBER_WORDS = "one two three four five six seven eight nine ten"
_MAX_SUB_QUERIES = 4
"""Chosen: each sub-query is a search of its own; questions of the exams join three things at most."""
_SCOPE_WORDS = {
    TemporalScope.BETWEEN: "between zwischen entre tra",
    TemporalScope.BEFORE: "before until vor bevor bis avant jusque antes hasta prima",
    TemporalScope.AFTER: "after next then since nach danach dann seit après ensuite depuis después luego desde dopo "
    "poi",
    TemporalScope.ALL: "about change changed changes during while happen happened happens describe summary summarize "
    "whole story overview overall throughout beginning end anfang ende während passiert début fin pendant inicio "
    "durante",
}
"""Words that name a scope, in English, German, French, Spanish and Italian; the first scope that occurs counts."""
_NON_CONTENT_WORDS = ENGLISH_STOPWORDS.union(_FRAMING_WORDS.split(), _NUMBER_WORDS.split())
"""Words that name no thing; how many there are of a thing is seen better than searched for."""
_LATIN_LETTER = re.compile(r"[A-Za-z\u00c0-\u024f]")
_LETTER = re.compile(r"[^\W\d_]")


class RuleQuestionAnalyzer:
    """Analyze questions by word lists and patterns (`services.answering.ports.QuestionAnalyzer`)."""

    def analyze(self, question: str) -> QuestionAnalysis:
        """Decompose a question; `unread` says so where it is in a script that the word lists do not cover."""
        return analyze_question(question)

    def contextualize(self, questions: Sequence[str], max_chars: int) -> list[str]:
        """Return what to search for, of the questions of a conversation, first choice first."""
        return contextualize_query(questions, max_chars)


def analyze_question(question: str) -> QuestionAnalysis:
    """Decompose a question into sub-queries, times and temporal scope.

    Words that ask or connect are not part of a sub-query. A question that names times has the scope WITHIN: what lies
    between two times is looked at anyway.
    """
    pieces = [_strip_framing_words(piece) for piece in _CLAUSE_SEPARATORS.split(TIMESTAMP_PATTERN.sub(" ", question))]
    sub_queries = tuple(dict.fromkeys(piece for piece in pieces if piece))[:_MAX_SUB_QUERIES]
    timestamps_s = tuple(sorted(set(parse_timestamps(question))))
    adds_something = len(sub_queries) > 1 or (not timestamps_s and sub_queries != (question.strip(),))
    return QuestionAnalysis(
        sub_queries if adds_something else (),
        timestamps_s,
        TemporalScope.WITHIN if timestamps_s else _detect_scope(question, len(sub_queries)),
        _describe_unread(question),
    )


def _detect_scope(question: str, sub_query_count: int) -> TemporalScope:
    words = {word.strip("\"'().,;:?!").casefold() for word in question.split()}
    named = [scope for scope, scope_words in _SCOPE_WORDS.items() if words.intersection(scope_words.split())]
    if TemporalScope.BETWEEN in named and sub_query_count < 2:
        return TemporalScope.ALL
    return named[0] if named else TemporalScope.WITHIN


def _strip_framing_words(piece: str) -> str:
    """Cut a piece down to what lies between its first and its last content word."""
    words = piece.split()
    content = [place for place, word in enumerate(words) if word.strip("\"'().").casefold() not in _NON_CONTENT_WORDS]
    return " ".join(words[content[0] : content[-1] + 1]) if content else ""


def _describe_unread(question: str) -> str:
    """Say what the rules cannot read of a question: words in scripts that none of the word lists is written in."""
    letters = _LETTER.findall(question)
    foreign = [letter for letter in letters if not _LATIN_LETTER.match(letter)]
    return "no rule reads this script: parts and temporal scope are unknown" if 2 * len(foreign) > len(letters) else ""
