"""Questions that follow others: what is asked for with the words that it leans on.

By rules, not by a model, as in `services/answering/question_analysis.py`: a question that points back ("And where is it sold?"), or names
hardly anything itself, is asked together with the one before it; English ones are known best.
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
_MIN_CONTENT_WORDS, _MAX_TURNS = 2, 4


def contextualize_query(questions: Sequence[str], max_chars: int) -> list[str]:
    """What to ask, of the questions of a conversation, oldest first: the one to try first, at first.

    A question that stands alone is asked alone. One that leans on what came before is asked behind it, up to the
    question that stands alone, and, where nothing is found so, alone. No text has more than `longest` characters,
    unless the last question has.
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
    telling = [word for word in words if word and word not in ENGLISH_STOPWORDS and word not in _LEADING_CONJUNCTIONS]
    return (
        len(telling) < _MIN_CONTENT_WORDS or words[0] in _LEADING_CONJUNCTIONS or not _ANAPHORIC_WORDS.isdisjoint(words)
    )
