"""Korean words that a line end divides are joined."""

from __future__ import annotations

import pytest

from indexer.text.hangul_words import is_divided_word
from indexer.text.passages import build_page_passages
from indexer.types import Origin, TextLine

WORDS = frozenset({"패키지를", "명령어", "설치", "문서"})


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("Rcmdr 패", "키지를 불러오면", True),
        ("R 명령", "어를 입력한다", True),
        ("모든 설치", "문서 는", False),
        ("이 문서", "에서 다룬다", True),
        ("창을 보여야 한", "다. 이 화면은", True),
        ("the end", "다음 줄", False),
        ("그것은", "the end", False),
    ],
)
def test_a_word_is_divided_where_the_page_has_it_whole_or_a_particle_follows(
    before: str, after: str, expected: bool
) -> None:
    assert is_divided_word(before, after, WORDS) is expected


def test_divided_words_of_a_paragraph_are_joined() -> None:
    lines = [
        "처음에는 패키지를 설치한다 그리고 나서 이 패",
        "키지를 불러오면 된다 그런데 설치 문서",
        "에서 말하는 순서가 있다",
    ]
    (passage,) = build_page_passages([TextLine(line, Origin.PAGE) for line in lines], 1)
    assert "이 패키지를 불러오면" in passage.text
    assert "설치 문서에서 말하는" in passage.text
