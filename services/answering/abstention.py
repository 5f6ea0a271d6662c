"""Abstention: the text of an answer where nothing in the archive answers, in the language of the question."""

from __future__ import annotations

from indexer.text.language import identify_language

NOTHING_FOUND = "Nothing in the archive answers this."
NOTHING_FOUND_IN = {
    "en": NOTHING_FOUND,
    "de": "Nichts im Archiv beantwortet das.",
    "fr": "Rien dans l'archive ne répond à cette question.",
    "es": "Nada en el archivo responde a esta pregunta.",
    "ru": "В архиве нет ответа на этот вопрос.",
    "ko": "아카이브에 이 질문에 대한 답이 없습니다.",
    "ja": "この質問への答えはアーカイブにありません。",
    "zh": "档案中没有这个问题的答案。",
}


def abstain_in_language_of(question: str) -> str:
    """Return the text of an abstention in the language of a question; in English where that is not known."""
    return NOTHING_FOUND_IN[identify_language(question) or "en"]
