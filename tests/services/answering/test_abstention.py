"""An abstention is in the language of its question."""

from __future__ import annotations

import pytest

from services.answering.abstention import NOTHING_FOUND, NOTHING_FOUND_IN, abstain_in_language_of


@pytest.mark.parametrize(
    "question",
    [
        "소방차는 언제 떠납니까?",
        "Afterimage가 뭐야?",
        "LLaVA OneVision 논문 요약해줘",
        "2024년 매출은?",
        "언제",
        "ㅇㅋ?",
    ],
)
def test_a_korean_question_gets_a_korean_answer(question: str) -> None:
    assert abstain_in_language_of(question) == NOTHING_FOUND_IN["ko"]


@pytest.mark.parametrize(
    "question",
    ["", "17?", "When does it leave?", "What does 소방차 mean?", "AE-8812-X", "--help"],
)
def test_a_question_in_no_known_language_gets_an_english_answer(question: str) -> None:
    assert abstain_in_language_of(question) == NOTHING_FOUND


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Wo ist das Boot?", "de"),
        ("Où est le bateau ?", "fr"),
        ("¿Dónde está el barco?", "es"),
        ("Где лодка?", "ru"),
        ("消防車はいつ出ますか", "ja"),
        ("消防车什么时候出发？", "zh"),
    ],
)
def test_other_languages_get_answers_of_their_own(question: str, language: str) -> None:
    assert abstain_in_language_of(question) == NOTHING_FOUND_IN[language]
