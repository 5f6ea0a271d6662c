"""The language of a text is told where it can be, and stop words of it leave a query."""

from __future__ import annotations

import pytest

from indexer.text.language import identify_language
from indexer.text.tokenizer import tokenize_document, tokenize_query

TEXTS = {
    "en": "Which of the two harbours is closed in winter?",
    "de": "Welcher der beiden Häfen ist im Winter geschlossen?",
    "fr": "Lequel des deux ports est fermé en hiver ?",
    "es": "¿Cuál de los dos puertos está cerrado en invierno?",
    "ru": "Какой из двух портов закрыт зимой?",
    "ko": "두 항구 가운데 겨울에 닫는 곳은 어디입니까?",
    "ja": "冬に閉まるのはどちらの港ですか。",
    "zh": "两个港口中哪一个冬天关闭？",
}


@pytest.mark.parametrize("language", TEXTS)
def test_a_question_is_in_its_language(language: str) -> None:
    assert identify_language(TEXTS[language]) == language


@pytest.mark.parametrize("text", ["", "12 345,67", "AE-8812-X", "Total 12.00 EUR", "\x00"])
def test_codes_and_numbers_are_in_no_language(text: str) -> None:
    assert identify_language(text) is None


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("Wie viele Sitze hat die Fähre?", {"sitz", "fahr"}),
        ("Combien de places y a-t-il dans le bac ?", {"place", "bac"}),
        ("¿Cuántas plazas hay en el transbordador?", {"plaza", "transbordador"}),
        ("Сколько мест на пароме?", {"мест", "пароме"}),
    ],
)
def test_a_query_has_no_stop_words_of_its_language(query: str, terms: set[str]) -> None:
    assert {term[:4] for term in tokenize_query(query)} == {term[:4] for term in terms}


def test_stop_words_of_other_languages_are_words() -> None:
    assert "die" in tokenize_query("Where did the last of the whales die of hunger?")
    assert "die" in tokenize_document("Die Fähre hat vierzig Sitze.")
