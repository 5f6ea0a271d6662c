"""Line ends: prose goes on, lines that end early on purpose stay apart, and gaps in a row divide cells."""

from __future__ import annotations

import pytest

from indexer.text.line_breaks import CELL, LINE, SPACE, find_separators
from indexer.types import Box, Origin, TextLine

CHARACTER = 0.01
"""Width of a character of these pages."""


def _line(text: str, x0: float, row: float, width: float | None = None) -> TextLine:
    """A line of `text` that begins at `x0`, in a row (from 0) of .02 of the page's height each."""
    x1 = x0 + (len(text) * CHARACTER if width is None else width)
    return TextLine(text, Origin.OCR, box=Box(x0, 0.1 + 0.02 * row, x1, 0.115 + 0.02 * row))


def test_prose_breaks_where_the_next_word_does_not_fit() -> None:
    lines = [
        _line("The notice period is eight weeks, for", 0.1, 0),
        _line("everybody, and twelve for captains, who", 0.1, 1),
        _line("cannot be replaced.", 0.1, 2),
    ]
    assert find_separators(lines) == [SPACE, SPACE]


def test_lines_that_end_early_end_on_purpose() -> None:
    address = [_line("Harbour Office", 0.1, 0), _line("Quay 5", 0.1, 1), _line("10115 Gdansk, Poland, Europe", 0.1, 2)]
    assert find_separators(address) == [LINE, LINE]


def test_a_long_word_that_did_not_fit_is_no_purpose() -> None:
    lines = [_line("Die Versicherung der", 0.1, 0), _line("Donaudampfschifffahrtsgesellschaft zahlt", 0.1, 1)]
    assert find_separators(lines) == [SPACE]


def test_korean_lines_break_between_words_and_japanese_ones_anywhere() -> None:
    korean = [_line("고양이와 강아지는", 0.1, 0, 0.18), _line("선박에서는사용할수없습니다 정말로", 0.1, 1, 0.34)]
    assert find_separators(korean) == [SPACE]
    japanese = [_line("猫は船で", 0.1, 0, 0.08), _line("魚を食べるのが好きです", 0.1, 1, 0.22)]
    assert find_separators(japanese) == [LINE]


def test_rows_of_a_receipt_are_lines_of_cells() -> None:
    receipt = [
        _line("Artikel", 0.1, 0),
        _line("EUR", 0.7, 0.2),
        _line("2 Brote", 0.1, 1),
        _line("6,40", 0.69, 1.2),
        _line("Zu zahlen", 0.1, 2),
        _line("6,40", 0.69, 2.2),
        _line("Vielen Dank und bis bald in unserer Filiale am Markt, die Baecker", 0.1, 3),
        _line("innung", 0.1, 4),
    ]
    assert find_separators(receipt) == [CELL, LINE, CELL, LINE, CELL, LINE, SPACE]


def test_words_beside_each_other_are_no_cells() -> None:
    assert find_separators([_line("read", 0.1, 0), _line("together", 0.15, 0.1)]) == [SPACE]


@pytest.mark.parametrize("lines", [[], [_line("alone", 0.1, 0)]])
def test_fewer_than_two_lines_have_no_separators(lines: list[TextLine]) -> None:
    assert find_separators(lines) == []


def test_lines_without_a_place_and_vertical_ones_are_joined() -> None:
    placeless = TextLine("placeless", Origin.PAGE)
    vertical = TextLine("縦書きの文章です", Origin.PAGE, box=Box(0.8, 0.1, 0.82, 0.6))
    assert find_separators([placeless, _line("placed", 0.1, 0), placeless]) == [SPACE, SPACE]
    assert find_separators([vertical, TextLine("次の行", Origin.PAGE, box=Box(0.75, 0.1, 0.77, 0.3))]) == [SPACE]
