"""Pages that mix digital text, scans and pictures, read with the OCR engine of the package."""

from __future__ import annotations

import random
import string
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from indexer.media.pdf.reader import read_pages
from indexer.ocr.rapid_ocr import RapidOcrEngine
from indexer.pipeline.page_reading import needs_ocr, read_page_lines
from indexer.types import Box, DocumentPage, LineRole, Origin, Pixels, TextLine
from tests.support.pdf_fixtures import A4, DrawPage, draw_all, draw_text_at, make_pdf

LETTER = [
    "Dear Sir or Madam, the boiler in the west wing",
    "was replaced on 14 March by the firm Quarrington",
    "Heating. The invoice amounts to 8,412.50 euros.",
    "Yours faithfully, the secretary of the board.",
]
REPORT = [
    "The weekly maintenance report describes the state of the pumping",
    "station and the work that was carried out by the night shift, who",
    "saw the message that is shown below as a photograph of the screen.",
]
STAMP = "Produced under protective order - CASE 2024-CV-01877 - CONFIDENTIAL - BATES ACME-0004512 - do not copy or show"


class CountingEngine:
    """An OCR engine that counts what it is asked for."""

    def __init__(self) -> None:
        self._engine = RapidOcrEngine(max_side_px=1472)
        self.calls: Counter[str] = Counter()

    @property
    def model_id(self) -> str:
        return self._engine.model_id

    def detect(self, picture: Pixels) -> NDArray[np.float32]:
        self.calls["detect"] += 1
        return self._engine.detect(picture)

    def recognize(self, picture: Pixels, quads: NDArray[np.float32]) -> list[tuple[str, float]]:
        self.calls["recognize"] += 1
        return self._engine.recognize(picture, quads)


class BlindEngine(CountingEngine):
    """An OCR engine that is sure of what it reads, and reads every line as the same Latin words."""

    def recognize(self, picture: Pixels, quads: NDArray[np.float32]) -> list[tuple[str, float]]:
        return [("MocKBa cTo HNua Hamen poAnHbl n KpacHan nnomaAb", 0.97)] * len(quads)


@pytest.fixture(scope="module")
def shared_engine() -> CountingEngine:
    return CountingEngine()


@pytest.fixture
def engine(shared_engine: CountingEngine) -> CountingEngine:
    shared_engine.calls.clear()
    return shared_engine


def picture_of(
    lines: Sequence[str], size: tuple[int, int], at: tuple[int, int], height: int, ink: int = 20
) -> Image.Image:
    picture = Image.new("RGB", size, (250, 250, 250))
    pen = ImageDraw.Draw(picture)
    for i, line in enumerate(lines):
        pen.text((at[0], at[1] + i * round(1.6 * height)), line, fill=(20, 20, 20), font=ImageFont.load_default(height))
    return picture


def draw_scan(canvas: Canvas) -> None:
    """Draw a scanned letter over the whole page, 150 dots an inch."""
    canvas.drawImage(ImageReader(picture_of(LETTER, (1240, 1754), (120, 250), 30)), 0, 0, *A4)


def draw_hidden(*lines: str, x: float = 57, y: float = 705) -> DrawPage:
    """Return the drawing of an OCR layer in the places of the scanned letter's lines."""

    def draw(canvas: Canvas) -> None:
        canvas.saveState()
        layer = canvas.beginText(x, y)
        layer.setTextRenderMode(3)
        layer.setFont("Helvetica", 15, leading=23)
        layer.textLines("\n".join(lines))
        canvas.drawText(layer)
        canvas.restoreState()

    return draw


def read_page(path: Path) -> DocumentPage:
    (page,) = read_pages(path, 1, 1600)
    return page


def texts_of(lines: Sequence[TextLine], origin: Origin) -> str:
    return " ".join(line.text for line in lines if line.origin is origin)


def draw_garbled(*lines: str) -> DrawPage:
    """Return the drawing of lines whose text layer says something else: other letters under what can be seen."""
    key = dict(zip(string.ascii_lowercase, random.Random(5).sample(string.ascii_lowercase, 26), strict=True))
    seen = picture_of(lines, (1100, 60 * len(lines)), (0, 6), 30)

    def draw(canvas: Canvas) -> None:
        for i, line in enumerate(lines):
            draw_text_at(60, 700 - 24 * i, "".join(key.get(c, c) for c in line.casefold()), size=15)(canvas)
        height = 24 * len(lines)
        canvas.drawImage(ImageReader(seen), 60, 722 - height, 440, height)

    return draw


def test_a_digital_page_is_read_without_ocr(tmp_path: Path, engine: CountingEngine) -> None:
    page = read_page(make_pdf(tmp_path / "plain.pdf", draw_text_at(60, 700, *REPORT, *LETTER, STAMP[:60])))
    lines = read_page_lines(page, engine)
    assert lines == page.lines
    assert not engine.calls


@pytest.mark.parametrize("stamp", [STAMP, "Page 1 of 1"])
def test_a_scan_with_a_digital_stamp_gives_both_texts(tmp_path: Path, engine: CountingEngine, stamp: str) -> None:
    page = read_page(make_pdf(tmp_path / "stamp.pdf", draw_all(draw_scan, draw_text_at(40, 810, stamp, size=9))))
    lines = read_page_lines(page, engine)
    assert texts_of(lines, Origin.PAGE) == stamp
    recognized = texts_of(lines, Origin.OCR)
    assert "Quarrington" in recognized and "8,412.50" in recognized
    assert "protective" not in recognized and "Page" not in recognized
    assert len({line.block for line in lines if line.origin is Origin.OCR} & {line.block for line in page.lines}) == 0


def test_a_screenshot_in_a_digital_page_is_read_and_the_page_is_not_read_twice(
    tmp_path: Path, engine: CountingEngine
) -> None:
    shot = ImageReader(picture_of(["Error code E-7741", "Operator: Thistlewood"], (500, 160), (20, 20), 28))
    draw = draw_all(draw_text_at(60, 700, *REPORT), lambda canvas: canvas.drawImage(shot, 60, 480, 300, 96))
    lines = read_page_lines(read_page(make_pdf(tmp_path / "shot.pdf", draw)), engine)
    assert [line.text for line in lines if line.origin is Origin.PAGE] == REPORT
    assert texts_of(lines, Origin.OCR) == "Error code E-7741 Operator: Thistlewood"
    (first, *_) = (line.box for line in lines if line.origin is Origin.OCR)
    assert first is not None
    assert (first.x0, first.y0) == pytest.approx((0.12, 0.33), abs=0.02)


def test_a_good_ocr_layer_is_kept_and_nothing_is_read_twice(tmp_path: Path, engine: CountingEngine) -> None:
    page = read_page(make_pdf(tmp_path / "good.pdf", draw_all(draw_scan, draw_hidden(*LETTER))))
    assert page.hidden_lines
    lines = read_page_lines(page, engine)
    assert lines == page.lines
    assert not engine.calls["detect"]


def test_what_stands_below_a_heading_of_a_scan_has_it_as_context(tmp_path: Path, engine: CountingEngine) -> None:
    scan = picture_of([*LETTER[:3], "", "", *REPORT], (1240, 1754), (80, 350), 28)
    pen = ImageDraw.Draw(scan)
    for top, heading in ((270, "West wing"), (490, "Pumping station")):
        pen.text((80, top), heading, fill=(20, 20, 20), font=ImageFont.load_default(60))
    path = make_pdf(tmp_path / "scan.pdf", lambda canvas: canvas.drawImage(ImageReader(scan), 0, 0, *A4))
    lines = read_page_lines(read_page(path), engine)
    contexts = {line.text.split()[0]: line.context for line in lines}
    assert [line.text for line in lines if line.role is LineRole.HEADING] == ["West wing", "Pumping station"]
    assert contexts["Dear"] == contexts["Heating."] == "West wing"
    assert contexts["The"] == contexts["saw"] == "Pumping station"


@pytest.mark.parametrize("offset", [0, 30])
def test_a_bad_ocr_layer_is_read_anew(tmp_path: Path, engine: CountingEngine, offset: float) -> None:
    bad = [
        "Dcar S1r 0r Madarn lhe b0iIcr 1n thc vvest vving",
        "vvas repIaccd 0n l4 Marcb bv thc firrn Ouarrinqlon",
        "Hcaling lhc invoicc arnounls lo 84l2 5O cur0s",
        "Y0urs faithfuIIy sccrclarv of lhc hoard of lruslccs",
    ]
    page = read_page(make_pdf(tmp_path / "bad.pdf", draw_all(draw_scan, draw_hidden(*bad, y=705 - offset))))
    lines = read_page_lines(page, engine)
    assert texts_of(lines, Origin.PAGE) == ""
    assert "boiler in the west wing" in texts_of(lines, Origin.OCR)


def test_what_an_ocr_layer_has_missed_is_added(tmp_path: Path, engine: CountingEngine) -> None:
    page = read_page(make_pdf(tmp_path / "part.pdf", draw_all(draw_scan, draw_hidden(*LETTER[:2]))))
    lines = read_page_lines(page, engine)
    assert [line.text for line in lines if line.origin is Origin.PAGE] == LETTER[:2]
    assert "8,412.50" in texts_of(lines, Origin.OCR) and "boiler" not in texts_of(lines, Origin.OCR)


def test_text_with_a_wrong_character_map_is_read_from_the_picture(tmp_path: Path, engine: CountingEngine) -> None:
    page = read_page(make_pdf(tmp_path / "garbled.pdf", draw_garbled(*LETTER)))
    assert len(page.unlikely_lines) == len(LETTER)
    lines = read_page_lines(page, engine)
    assert texts_of(lines, Origin.PAGE) == ""
    assert "Quarrington" in texts_of(lines, Origin.OCR)


def test_true_text_of_unusual_letters_is_kept(tmp_path: Path, engine: CountingEngine) -> None:
    codes = [f"QX{i}ZW KVBG-{i}77 WQZX JKVP XZQW BKJV" for i in range(5)]
    page = read_page(make_pdf(tmp_path / "codes.pdf", draw_text_at(60, 700, *codes, size=14)))
    assert page.unlikely_lines
    assert read_page_lines(page, engine) == page.lines
    assert not engine.calls["detect"]


@pytest.mark.parametrize(
    ("font", "text"),
    [
        ("HYSMyeongJo-Medium", "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다"),
        ("HeiseiMin-W3", "すべての人間は生まれながらにして自由でありかつ尊厳と権利とについて平等である"),
        ("STSong-Light", "人人生而自由在尊严和权利上一律平等他们赋有理性和良心并应以兄弟关系的精神相对待"),
    ],
)
@pytest.mark.parametrize("hidden", [False, True])
def test_a_good_layer_is_kept_whatever_script_the_engine_cannot_read(
    tmp_path: Path, font: str, text: str, hidden: bool
) -> None:
    pdfmetrics.registerFont(UnicodeCIDFont(font))

    def draw(canvas: Canvas) -> None:
        draw_scan(canvas)
        layer = canvas.beginText(57, 705)
        layer.setTextRenderMode(3 if hidden else 0)
        layer.setFont(font, 12, leading=23)
        layer.textLines("\n".join([text] * 4))
        canvas.drawText(layer)

    page = read_page(make_pdf(tmp_path / "script.pdf", draw))
    assert bool(page.hidden_lines) == hidden
    lines = read_page_lines(page, BlindEngine())
    assert [line.text for line in lines if line.origin is Origin.PAGE] == [line.text for line in page.lines]


def test_a_poor_layer_in_a_script_that_was_not_read_is_kept_beside_what_was_read(engine: CountingEngine) -> None:
    layer = (TextLine("Москва столица", Origin.PAGE, box=Box(0.03, 0.06, 0.7, 0.16)),)
    page = DocumentPage(1, np.asarray(picture_of(LETTER, (1240, 600), (50, 50), 30)), layer, False)
    lines = read_page_lines(page, engine)
    assert lines[0] == layer[0]
    assert "Quarrington" in texts_of(lines, Origin.OCR) and "boiler" not in texts_of(lines, Origin.OCR)


def test_notes_are_kept_beside_a_scan(tmp_path: Path, engine: CountingEngine) -> None:
    note = TextLine("call Abernathy", Origin.PAGE)
    page = DocumentPage(1, np.asarray(picture_of(LETTER, (1240, 600), (50, 50), 30)), (), False, notes=(note,))
    lines = read_page_lines(page, engine)
    assert lines[-1] == note
    assert "Quarrington" in texts_of(lines, Origin.OCR)
    assert read_page_lines(page, None) == (note,)


@pytest.mark.parametrize(
    ("draw", "needed"),
    [
        (draw_all(draw_scan, draw_text_at(40, 810, "Page 1 of 1", size=9)), True),
        (draw_scan, True),
        (draw_text_at(60, 700, *REPORT), False),
    ],
)
def test_a_page_with_a_large_scan_needs_ocr(tmp_path: Path, draw: DrawPage, needed: bool) -> None:
    assert needs_ocr(read_page(make_pdf(tmp_path / "page.pdf", draw))) == needed
