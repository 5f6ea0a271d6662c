"""Contextualize follow-up questions by rules: one that points back is searched for together with those before it.

A question points back where it has an anaphoric word ("And where is it sold?"), begins with a conjunction, or names
hardly anything itself. The word lists are English.
"""

from __future__ import annotations

from collections.abc import Sequence

from indexer.text.stopwords import ENGLISH_STOPWORDS

_ANAPHORIC_WORDS = frozenset(
    [
        "he",
        "her",
        "here",
        "him",
        "his",
        "it",
        "its",
        "she",
        "that",
        "their",
        "them",
        "there",
        "these",
        "they",
        "this",
        "those",
    ]
)
_LEADING_CONJUNCTIONS = frozenset(["also", "and", "but", "else", "or", "so", "then"])
_PUNCTUATION = "\"'()[].,;:?!"
_MIN_CONTENT_WORDS = 2
"""Chosen: a question of one content word ("Where?", "And in 2019?") names too little to be searched for alone."""
_MAX_TURNS = 4
"""Chosen: the last question and three before it; older ones are rarely what a question points back to."""


def contextualize_query(questions: Sequence[str], max_chars: int) -> list[str]:
    """Return the queries to try for the last of some questions (oldest first), first choice first.

    A question that stands alone is the only query. One that depends on its context is tried together with the
    questions before it, up to one that stands alone, and then alone. A query has at most `max_chars` characters, unless
    the last question has more.
    """
    *_, last = questions
    together = [last]
    for question in reversed(questions[-_MAX_TURNS:-1]):
        if not _depends_on_context(together[0]) or len(" ".join([question, *together])) > max_chars:
            break
        together.insert(0, question)
    return [last] if len(together) == 1 else [" ".join(together), last]


def _depends_on_context(question: str) -> bool:
    words = [word.strip(_PUNCTUATION).casefold() for word in question.split()]
    content = [word for word in words if word and word not in ENGLISH_STOPWORDS and word not in _LEADING_CONJUNCTIONS]
    return (
        len(content) < _MIN_CONTENT_WORDS or words[0] in _LEADING_CONJUNCTIONS or not _ANAPHORIC_WORDS.isdisjoint(words)
    )
