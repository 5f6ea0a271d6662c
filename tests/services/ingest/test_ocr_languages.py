"""Photos in Korean and Russian are read, found by words and cited, where Tesseract has their languages."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from indexer.errors import ModelError
from indexer.types import Origin, SegmentFilter
from services.search.types import Query
from services.settings import load_settings
from services.wiring import models as module
from services.wiring.models import Models
from tests.indexer.ocr.test_multi_script import DEJAVU, KOREAN, NANUM, RUSSIAN, draw_page
from tests.support.containers import MakeContainer

SETTINGS = {"visual__model": "", "text__model": "", "memory__enabled": "false", "generator__kind": "extractive"}


def test_photos_in_other_scripts_are_found_by_their_words(make_container: MakeContainer, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(draw_page(KOREAN, NANUM)).save(photos / "통지서.jpg", quality=90)
    Image.fromarray(draw_page(RUSSIAN, DEJAVU)).save(photos / "договор.jpg", quality=90)
    with closing(make_container(tmp_path / "home", ocr__languages="kor,rus", **SETTINGS)) as container:
        list(container.indexing.index_paths([photos], "default"))
        for question, name in (("인사관리팀은 어디인가요?", "통지서.jpg"), ("отдел кадров", "договор.jpg")):
            first = container.retrieval.search(Query(question), SegmentFilter(), 5)[0]
            assert first.asset.name == name
            assert first.best_segment.origin is Origin.OCR
            assert first.best_segment.box is not None


def load_engine_id(monkeypatch: pytest.MonkeyPatch, languages: str) -> str:
    monkeypatch.setenv("AFTERIMAGE_OCR__LANGUAGES", languages)
    engine, page_engine = Models(load_settings("demo")).ocr_engines
    assert engine is not None
    assert page_engine is not None
    assert page_engine.model_id != engine.model_id
    return engine.model_id


def test_the_setting_names_the_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "tesseract" not in load_engine_id(monkeypatch, "")
    assert "+tesseract:kor+eng@" in load_engine_id(monkeypatch, "kor")
    automatic = load_engine_id(monkeypatch, "auto")
    assert all(name in automatic for name in ("kor", "rus", "ell"))


def test_a_language_that_is_missing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="no data for klingon"):
        load_engine_id(monkeypatch, "kor, klingon")


def test_without_the_library_only_a_named_language_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    assert "tesseract" not in load_engine_id(monkeypatch, "auto")
    with pytest.raises(ModelError, match=r"pip install afterimage\[tesseract\]"):
        load_engine_id(monkeypatch, "kor")
