"""Questions of a conversation: which are asked together."""

from __future__ import annotations

import pytest

from services.answering.rules.followup_questions import contextualize_query

SOUP = "How much is the fish soup?"
CAFE = "Who runs the cafe on deck two?"


@pytest.mark.parametrize("last", ["And where is it sold?", "Where do they sell that soup?", "And the coffee?", "Why?"])
def test_a_question_that_leans_is_asked_behind_the_one_before(last: str) -> None:
    assert contextualize_query([SOUP, last], 2000) == [f"{SOUP} {last}", last]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("Wie teuer ist die Fischsuppe?", "Und wo gibt es sie?"),
        ("Wie teuer ist die Fischsuppe?", "Was ist darin enthalten?"),
        ("Combien coûte la soupe de poisson ?", "Où sont-elles vendues ?"),
        ("¿Cuánto cuesta la sopa de pescado?", "¿Y dónde se vende en la isla?"),
        ("Сколько стоит рыбный суп?", "Где его продают туристам?"),
        ("생선 수프는 얼마예요?", "그건 어디에서 팔아요?"),
        ("魚のスープはいくらですか。", "それはどこで売っていますか。"),
        ("鱼汤多少钱?", "在哪里可以买到它?"),
    ],
)
def test_a_question_that_leans_is_known_in_every_language(first: str, last: str) -> None:
    assert contextualize_query([first, last], 2000)[0] == f"{first} {last}"


@pytest.mark.parametrize(
    "last",
    [
        "Wie lang ist das Boot im Hafen?",
        "Quand faut-il payer la taxe de séjour ?",
        "¿Quién dirige la cafetería del barco?",
        "Кто управляет кафе на палубе?",
        "갑판의 카페는 누가 운영하나요?",
        "甲板のカフェは誰が経営していますか。",
        "甲板上的咖啡馆由谁经营?",
        "其他的鱼汤多少钱?",
    ],
)
def test_a_question_that_stands_alone_is_known_in_every_language(last: str) -> None:
    assert contextualize_query([SOUP, last], 2000) == [last]


@pytest.mark.parametrize("last", [CAFE, "notice period", "What colour has the mooring rope?"])
def test_a_question_that_stands_alone_is_asked_alone(last: str) -> None:
    assert contextualize_query([SOUP, last], 2000) == [last]
    assert contextualize_query([last], 2000) == [last]


def test_questions_lean_on_each_other_up_to_the_one_that_stands_alone() -> None:
    talk = [CAFE, SOUP, "And the coffee?", "Where is it sold?"]
    assert contextualize_query(talk, 2000)[0] == f"{SOUP} And the coffee? Where is it sold?"
    assert contextualize_query(["Why?", "Why?", "Why?", "Why?", "Why?", "Why?"], 2000)[0] == "Why? Why? Why? Why?"


def test_context_is_left_out_where_it_would_be_too_long() -> None:
    assert contextualize_query([SOUP, "And the coffee?"], len(SOUP) + 5) == ["And the coffee?"]


def test_a_question_without_words_leans_and_is_no_error() -> None:
    assert contextualize_query([SOUP, "?"], 2000) == [f"{SOUP} ?", "?"]
    assert contextualize_query([""], 2000) == [""]
