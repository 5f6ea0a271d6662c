"""An abstention is in the language of its question."""

from __future__ import annotations

import pytest

from services.answering.abstention import NOTHING_FOUND, NOTHING_FOUND_KOREAN, abstain_in_language_of


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
    assert abstain_in_language_of(question) == NOTHING_FOUND_KOREAN


@pytest.mark.parametrize(
    "question",
    ["", "17?", "When does it leave?", "What does 소방차 mean?", "Wo ist das Boot?", "消防車はいつ出ますか", "消防车"],
)
def test_any_other_question_gets_an_english_one(question: str) -> None:
    assert abstain_in_language_of(question) == NOTHING_FOUND
