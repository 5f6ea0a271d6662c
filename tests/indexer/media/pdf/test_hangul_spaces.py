"""Korean words stand apart where they are drawn apart, whatever spaces the file has."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from tests.support.pdf_fixtures import DrawPage, line_texts, read_drawn_page

SENTENCE = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다"
SIZE = 12


def draw_words(sentence: str, gap: float, tracking: float = 0.0) -> DrawPage:
    """Draw each syllable by itself, words `gap` points apart and syllables `tracking`, without a space."""

    def draw(canvas: Canvas) -> None:
        pdfmetrics.registerFont(UnicodeCIDFont("HYSMyeongJo-Medium"))
        canvas.setFont("HYSMyeongJo-Medium", SIZE)
        x = 60.0
        for word in sentence.split():
            for syllable in word:
                canvas.drawString(x, 700, syllable)
                x += SIZE + tracking
            x += gap

    return draw


@pytest.mark.parametrize("gap", [1.6, 1.9, 6.0])
def test_spaces_are_where_gaps_are(tmp_path: Path, gap: float) -> None:
    assert line_texts(read_drawn_page(tmp_path, draw_words(SENTENCE, gap))) == [SENTENCE]


def test_syllables_that_are_set_widely_stay_together(tmp_path: Path) -> None:
    page = read_drawn_page(tmp_path, draw_words(SENTENCE, 4.5, tracking=1.2))
    assert line_texts(page) == [SENTENCE]
