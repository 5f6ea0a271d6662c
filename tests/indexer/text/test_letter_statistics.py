"""Letters of languages, and letters that come from a wrong character map."""

from __future__ import annotations

import random

import pytest

from indexer.text.letter_statistics import is_unlikely, main_script

TEXTS = {
    "English": "All human beings are born free and equal in dignity and rights. They are endowed with reason.",
    "German": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft begabt.",
    "Polish": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni obdarzeni.",
    "Turkish": "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana sahiptirler ve karşı.",
    "Vietnamese": "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi.",
    "Russian": "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью.",
    "Greek": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. Είναι προικισμένοι.",
    "Korean": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다 인간은 천부적으로 " * 3,
    "Japanese": "すべての人間は生まれながらにして自由でありかつ尊厳と権利とについて平等である" * 3,
    "Chinese": "人人生而自由在尊严和权利上一律平等他们赋有理性和良心并应以兄弟关系的精神相对待" * 4,
    "Arabic": "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق وقد وهبوا عقلا وضميرا وعليهم أن يعامل بعضهم بعضا بروح",
}


@pytest.mark.parametrize("language", TEXTS)
def test_the_text_of_a_language_is_likely(language: str) -> None:
    assert not is_unlikely(TEXTS[language] * 2)


@pytest.mark.parametrize("language", ["English", "German", "Polish"])
@pytest.mark.parametrize("shift", [1, 3, 7, 13])
def test_shifted_letters_are_unlikely(language: str, shift: int) -> None:
    text = TEXTS[language].casefold() * 2
    assert is_unlikely("".join(chr((ord(c) - 97 + shift) % 26 + 97) if "a" <= c <= "z" else c for c in text))


def test_characters_by_chance_are_unlikely() -> None:
    pick = random.Random(0)
    assert is_unlikely("".join(chr(pick.randrange(0x4E00, 0x9FFF)) for _ in range(200)))
    assert is_unlikely("".join(chr(pick.randrange(0xAC00, 0xD7A3)) for _ in range(200)))
    assert is_unlikely(" ".join("".join(pick.choice("abcdeабвгд") for _ in range(8)) for _ in range(30)))


def test_a_few_letters_tell_nothing() -> None:
    assert not is_unlikely("Uif hfofsbups")


def test_the_main_script_is_that_of_most_letters() -> None:
    assert [main_script(text) for text in ("PDF 파일입니다", "Москва (a)", "日本 x", "12 %")] == [
        "HANGUL",
        "CYRILLIC",
        "CJK",
        "",
    ]
