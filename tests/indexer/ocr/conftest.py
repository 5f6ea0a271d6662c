"""Readers that the tests of this folder share."""

from __future__ import annotations

import pytest

from indexer.ocr.rapid_ocr import RapidOcrEngine


@pytest.fixture(scope="session")
def rapid_ocr() -> RapidOcrEngine:
    return RapidOcrEngine()
