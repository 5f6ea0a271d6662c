from __future__ import annotations

import logging
import socket
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import ModelError
from indexer.ocr.rapid_ocr import RapidOcrEngine
from tests.support.contract_ocr_engine import OcrEngineContract, draw_lines


class TestRapidOcrReader(OcrEngineContract):
    @pytest.fixture
    def engine(self, rapid_ocr: RapidOcrEngine) -> RapidOcrEngine:
        return rapid_ocr


def test_colours_are_not_swapped(rapid_ocr: RapidOcrEngine) -> None:
    red, _ = draw_lines([(20, 20, 32, "Red on blue")], (260, 80), paper="#2020ff")
    red = np.where(red == 0, np.array([255, 40, 40], dtype=np.uint8), red)
    assert rapid_ocr.recognize(red, rapid_ocr.detect(red))[0][0] == "Red on blue"


@pytest.mark.parametrize("turns", [1, 3])
def test_lines_that_stand_on_end_are_read(rapid_ocr: RapidOcrEngine, turns: int) -> None:
    lying, _ = draw_lines([(30, 40, 36, "Standing tall 42")], (400, 120))
    standing = np.ascontiguousarray(np.rot90(lying, turns))
    assert rapid_ocr.recognize(standing, rapid_ocr.detect(standing))[0][0] == "Standing tall 42"


def test_small_print_is_found_in_a_frame_larger_than_the_limit(rapid_ocr: RapidOcrEngine) -> None:
    lines = [(40, 60, 14, "Terms and conditions apply"), (900, 600, 80, "Sale")]
    frame, _ = draw_lines(lines, (1280, 720))
    assert [text for text, _ in rapid_ocr.recognize(frame, rapid_ocr.detect(frame))] == [text for *_, text in lines]


def test_a_reader_with_another_limit_shares_the_weights_and_has_another_id(rapid_ocr: RapidOcrEngine) -> None:
    finer = rapid_ocr.with_max_side(1472)
    assert finer.model_id != rapid_ocr.model_id
    assert finer._models is rapid_ocr._models


def test_nothing_is_fetched_and_nothing_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    picture, _ = draw_lines([(20, 20, 32, "Offline")], (200, 80))
    reader = RapidOcrEngine()
    with caplog.at_level(logging.INFO):
        assert reader.recognize(picture, reader.detect(picture))[0][0] == "Offline"
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.ocr.rapid_ocr.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="not installed"):
        RapidOcrEngine().detect(np.zeros((8, 8, 3), dtype=np.uint8))


def test_missing_and_damaged_weights_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Spec:
        origin = str(tmp_path / "__init__.py")

    monkeypatch.setattr("indexer.ocr.rapid_ocr.find_spec", lambda name: Spec)
    with pytest.raises(ModelError, match="missing"):
        _ = RapidOcrEngine().model_id
    (tmp_path / "models").mkdir()
    for step in ("det", "rec"):
        (tmp_path / "models" / f"PP_{step}_x.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="cannot be loaded"):
        RapidOcrEngine().detect(np.zeros((8, 8, 3), dtype=np.uint8))
