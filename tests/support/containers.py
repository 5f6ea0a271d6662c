"""Containers of tests: services over a home, whose models are shared."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import cache, cached_property
from pathlib import Path

import pytest

from indexer.ports import ImageTextEncoder, OcrEngine, SentenceEncoder
from services.container import Container
from services.settings import Settings, load_settings
from services.wiring.models import Models
from tests.support.memoized_encoders import MemoizedOpenClipEncoder, MemoizedSentenceEncoder

MakeContainer = Callable[..., Container]
"""Makes containers: `make_container(home, **settings)`, settings named as their variables are, `text__model=""`."""


class BorrowedModels(Models):
    """Models shared by all containers of a test session whose settings name the lender's: each is loaded once."""

    def __init__(self, settings: Settings, lender: Models) -> None:
        super().__init__(settings)
        self._lender = lender

    @cached_property
    def sentence_encoder(self) -> SentenceEncoder | None:
        """Shared sentence encoder, or one's own."""
        if self.settings.text != self._lender.settings.text:
            return Models(self.settings).sentence_encoder
        return _share_sentence_encoder(self._lender)

    @cached_property
    def image_text_encoder(self) -> ImageTextEncoder | None:
        """Shared encoder of the visual lane, or one's own."""
        visual = self.settings.visual
        if visual.model is None or visual != self._lender.settings.visual:
            return Models(self.settings).image_text_encoder
        return _share_image_text_encoder(visual.model, visual.device, visual.batch)

    @cached_property
    def ocr_engines(self) -> tuple[OcrEngine | None, OcrEngine | None]:
        """Shared OCR engines, or one's own."""
        same = self.settings.ocr == self._lender.settings.ocr
        return self._lender.ocr_engines if same else Models(self.settings).ocr_engines


@cache
def _share_sentence_encoder(lender: Models) -> SentenceEncoder | None:
    encoder = lender.sentence_encoder
    return None if encoder is None else MemoizedSentenceEncoder(encoder)


@cache
def _share_image_text_encoder(model: str, device: str, batch_size: int) -> ImageTextEncoder:
    return MemoizedOpenClipEncoder(model, device=device, batch_size=batch_size, threads=1)


def copy_home(home: Path, destination: Path) -> Path:
    """Copy a home, which servers of this process may be using; gives the copy.

    Its catalog is copied by SQLite: to close a file of a database drops the locks that the process holds on it.
    """
    copied = Path(shutil.copytree(home, destination, symlinks=True, ignore=shutil.ignore_patterns("catalog.db*")))
    if (home / "catalog.db").exists():
        with (
            closing(sqlite3.connect(home / "catalog.db")) as source,
            closing(sqlite3.connect(copied / "catalog.db")) as target,
        ):
            source.backup(target)
    return copied


def open_container(home: Path, lender: Models | None = None, /, **settings: object) -> Container:
    """Open the services over a home, in profile `demo`, with shared models; the caller closes them."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AFTERIMAGE_HOME", str(home))
        for name, value in settings.items():
            patched.setenv(f"AFTERIMAGE_{name.upper()}", str(value))
        used = load_settings("demo")
    return Container(used, None if lender is None else BorrowedModels(used, lender))
