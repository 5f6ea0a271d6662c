from __future__ import annotations

from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from indexer.errors import ModelError
from indexer.ocr.multi_script import MultiScriptOcrEngine
from indexer.ocr.rapid_ocr import RapidOcrEngine
from indexer.ocr.tesseract import TesseractReader, is_in_script
from indexer.types import Pixels
from tests.support.contract_ocr_engine import OcrEngineContract

NANUM = "/usr/share/fonts/truetype/nanum/NanumGothic.ttf"
DEJAVU = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"

KOREAN = ["근로계약 해지 통지서", "해지 예고 기간은 세 달입니다.", "담당 부서: 인사관리팀", "전화 02-555-0134"]
RUSSIAN = ["Договор аренды склада", "Срок уведомления — три месяца.", "Отдел кадров, комната 12"]
GREEK = ["Σύμβαση μίσθωσης αποθήκης", "Η προθεσμία είναι τρεις μήνες."]
LATIN = ["The notice period is three months.", "Die Kündigungsfrist beträgt drei Monate.", "Room 12, extension 0134"]


@pytest.fixture(scope="session")
def shared_engine() -> MultiScriptOcrEngine:
    return MultiScriptOcrEngine(RapidOcrEngine(), TesseractReader(["kor", "rus", "ell"]))


def draw_page(lines: list[str], font_path: str, size_px: int = 30) -> Pixels:
    """Draw lines as on a scan: grey paper, a little blur and noise, turned by a degree."""
    font = ImageFont.truetype(font_path, size_px)
    page = Image.new("RGB", (720, 90 + 70 * len(lines)), (236, 234, 228))
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        draw.text((50, 50 + 70 * number), line, font=font, fill=(40, 40, 52))
    turned = page.rotate(1, resample=Image.Resampling.BICUBIC, fillcolor=(236, 234, 228))
    blurred = np.asarray(turned.filter(ImageFilter.GaussianBlur(0.6)), dtype=np.float32)
    noise = np.random.default_rng(7).normal(0, 5, blurred.shape)
    return (blurred + noise).clip(0, 255).astype(np.uint8)


def read(engine: MultiScriptOcrEngine | RapidOcrEngine, picture: Pixels) -> list[str]:
    return [text for text, _ in engine.recognize(picture, engine.detect(picture))]


class TestMultiScriptOcrEngine(OcrEngineContract):
    @pytest.fixture
    def engine(self, shared_engine: MultiScriptOcrEngine) -> MultiScriptOcrEngine:
        return shared_engine


@pytest.mark.parametrize(("lines", "font"), [(KOREAN, NANUM), (RUSSIAN, DEJAVU), (GREEK, DEJAVU)])
def test_scans_in_scripts_that_pp_ocr_does_not_know_are_read(
    shared_engine: MultiScriptOcrEngine, lines: list[str], font: str
) -> None:
    picture = draw_page(lines, font)
    readings = read(shared_engine, picture)
    assert len(readings) == len(lines)
    assert SequenceMatcher(None, "\n".join(lines), "\n".join(readings)).ratio() > 0.95, readings
    assert read(RapidOcrEngine(), picture) != readings


def test_lines_that_pp_ocr_reads_stay_as_they_are(shared_engine: MultiScriptOcrEngine) -> None:
    picture = draw_page(LATIN, DEJAVU)
    assert read(shared_engine, picture) == read(RapidOcrEngine(), picture) == LATIN


def test_a_page_of_two_scripts_has_both(shared_engine: MultiScriptOcrEngine) -> None:
    readings = read(shared_engine, draw_page([LATIN[0], KOREAN[1], "2025-03-11"], NANUM))
    assert readings[0] == LATIN[0]
    assert "해지 예고 기간" in readings[1]
    assert readings[2] == "2025-03-11"


def test_latin_capitals_are_not_taken_for_greek_ones(shared_engine: MultiScriptOcrEngine) -> None:
    readings = read(shared_engine, draw_page(["O JA   O NEIN", "TAXI HOTEL KINO", "MAPA"], DEJAVU))
    assert all(reading.isascii() for reading in readings), readings


def test_graphics_without_text_gain_none(shared_engine: MultiScriptOcrEngine) -> None:
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (300, 500, 3), dtype=np.uint8)
    quads = np.array([[[20, 20 + 60 * i], [400, 20 + 60 * i], [400, 60 + 60 * i], [20, 60 + 60 * i]] for i in range(4)])
    readings = shared_engine.recognize(picture, quads.astype(np.float32))
    assert not any(is_in_script(text, name) for text, _ in readings for name in ("kor", "rus", "ell"))


def test_the_id_names_both_and_the_languages(shared_engine: MultiScriptOcrEngine) -> None:
    assert shared_engine.model_id.startswith("rapidocr:")
    assert "+tesseract:kor+rus+ell" in shared_engine.model_id
    only_korean = MultiScriptOcrEngine(RapidOcrEngine(), TesseractReader(["kor"]))
    assert only_korean.model_id != shared_engine.model_id


def test_a_language_without_data_is_named() -> None:
    with pytest.raises(ModelError, match="no data for xyz"):
        TesseractReader(["kor", "xyz"])


def test_damaged_data_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kor.traineddata").write_bytes(b"no data")
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    reader = TesseractReader()
    assert reader.languages == ("kor",)
    with pytest.raises(ModelError, match=r"kor\.traineddata: cannot be loaded"):
        reader.read(np.full((60, 200, 3), 255, np.uint8), "kor")


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("해지 예고", "kor", True),
        ("20250311-0094", "kor", False),
        ("약 Paracetamol", "kor", False),
        ("Глава 1", "rus", True),
        ("ΟΙΑ", "ell", True),
        ("", "rus", False),
    ],
)
def test_a_reading_must_be_in_the_script_of_its_language(text: str, language: str, expected: bool) -> None:
    assert is_in_script(text, language) is expected
