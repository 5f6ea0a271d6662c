"""Accents that are drawn over letters as characters of their own, as TeX does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from indexer.media.pdf.glyphs import Glyphs
from indexer.media.pdf.text_layer import read_lines
from tests.support.pdf_fixtures import DrawPage, draw_text_at, line_texts, make_pdf, read_single_page

DrawLetter = Callable[[Canvas, float, float, str, str], None]
FONT, SIZE = "Vera", 12
pdfmetrics.registerFont(TTFont(FONT, "Vera.ttf"))


def draw_after(canvas: Canvas, x: float, y: float, letter: str, accent: str) -> None:
    """Draw a letter, then its accent over its middle."""
    canvas.drawString(x, y, letter)
    canvas.drawString(x + (stringWidth(letter, FONT, SIZE) - stringWidth(accent, FONT, SIZE)) / 2, y, accent)


def draw_before(canvas: Canvas, x: float, y: float, letter: str, accent: str) -> None:
    """Draw an accent, then the letter below it, as TeX's `\\accent` does; over capitals it is raised."""
    raised = 2 if letter.isupper() else 0
    canvas.drawString(x + (stringWidth(letter, FONT, SIZE) - stringWidth(accent, FONT, SIZE)) / 2, y + raised, accent)
    canvas.drawString(x, y, letter)


def draw_words(draw_letter: DrawLetter, *parts: str | tuple[str, str]) -> DrawPage:
    """Return the drawing of a line from strings and pairs of letter and accent."""

    def draw(canvas: Canvas) -> None:
        canvas.setFont(FONT, SIZE)
        x = 72.0
        for part in parts:
            if isinstance(part, str):
                canvas.drawString(x, 700, part)
            else:
                draw_letter(canvas, x, 700, *part)
            x += stringWidth(part if isinstance(part, str) else part[0], FONT, SIZE)

    return draw


@pytest.mark.parametrize("draw_letter", [draw_after, draw_before])
@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("Mr M", ("u", "¨"), "ller of G", ("o", "¨"), "ttingen"), "Mr Müller of Göttingen"),
        (("a r", ("e", "´"), "sum", ("e", "´"), " of work"), "a résumé of work"),
        (("at the caf", ("e", "´")), "at the café"),
        (("d", ("e", "`"), "s la f", ("e", "ˆ"), "te"), "dès la fête"),
        (("Espa", ("n", "˜"), "a y S", ("a", "˜"), "o Paulo"), "España y São Paulo"),
        ((("A", "˚"), "ngstr", ("o", "¨"), "m"), "Ångström"),
        (("gar", ("c", "¸"), "on"), "garçon"),
        (("Dvo", ("r", "ˇ"), ("a", "´"), "k"), "Dvořák"),
        ((("U", "¨"), "ber ", ("O", "¨"), "sterreich"), "Über Österreich"),
    ],
)
def test_a_letter_and_the_accent_drawn_over_it_are_one_character(
    tmp_path: Path, draw_letter: DrawLetter, parts: tuple[str | tuple[str, str], ...], text: str
) -> None:
    path = make_pdf(tmp_path / "accents.pdf", draw_words(draw_letter, *parts))
    assert line_texts(read_single_page(path)) == [text]


@pytest.mark.parametrize("text", ["about 20 ° north", "x ~ y and a ^ b", "5´ 30¨ wide", "`quoted´ text", "café Müller"])
def test_an_accent_beside_a_letter_stays(tmp_path: Path, text: str) -> None:
    assert line_texts(read_single_page(make_pdf(tmp_path / "plain.pdf", draw_text_at(72, 700, text)))) == [text]


def test_decomposed_text_is_composed() -> None:
    text = "Cafe\u0301Mu\u0308ller"
    left = np.arange(len(text)) * 0.02
    boxes = np.stack((left, np.full(len(text), 0.1), left + 0.02, np.full(len(text), 0.12)), axis=1)
    plain = np.zeros(len(text), np.int64)
    glyphs = Glyphs([ord(character) for character in text], boxes, plain, 0, plain, plain.astype(np.bool_))
    assert [line.text for line in read_lines(glyphs, 600, 800)] == ["CaféMüller"]
