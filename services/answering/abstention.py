"""Abstention: the text of an answer where nothing in the archive answers, in the language of the question."""

from __future__ import annotations

import re

NOTHING_FOUND = "Nothing in the archive answers this."
NOTHING_FOUND_KOREAN = "아카이브에 이 질문에 대한 답이 없습니다."
_WORD = re.compile(r"[^\W\d_]+")
_HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
"""Source: Unicode blocks Hangul Jamo, Hangul Compatibility Jamo and Hangul Syllables."""


def abstain_in_language_of(question: str) -> str:
    """Return the text of an abstention: Korean for a Korean question, English for any other."""
    return NOTHING_FOUND_KOREAN if is_korean(question) else NOTHING_FOUND


def is_korean(text: str) -> bool:
    """Tell whether a text is Korean: whether half of its words or more have Hangul.

    Korean sentences have names in other letters, and a Korean ending behind them; sentences of other languages that
    quote a Korean word have more words of their own.
    """
    words = _WORD.findall(text)
    return bool(words) and 2 * sum(_HANGUL.search(word) is not None for word in words) >= len(words)
