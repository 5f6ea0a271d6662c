"""Reading of single lines by Tesseract, through the library tesserocr, with the system's language data."""

from __future__ import annotations

import os
import re
import threading
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from indexer.encoders.weights import fingerprint
from indexer.errors import ModelError
from indexer.text.scripts import CYRILLIC, HANGUL
from indexer.types import Pixels

SCRIPTS = {
    "kor": HANGUL,
    "rus": CYRILLIC,
    "ukr": CYRILLIC,
    "bul": CYRILLIC,
    "srp": CYRILLIC,
    "ell": "\u0370-\u03ff\u1f00-\u1fff",
    "ara": "\u0600-\u06ff",
    "fas": "\u0600-\u06ff",
    "heb": "\u0590-\u05ff",
    "tha": "\u0e00-\u0e7f",
    "hin": "\u0900-\u097f",
}
"""Source: Tesseract's names of languages, and Unicode's blocks of their scripts, none of which PP-OCR's models know."""
_DATA_FOLDERS = ("/usr/share/tesseract-ocr/5/tessdata", "/usr/share/tessdata", "/usr/local/share/tessdata")
"""Source: where Debian, Fedora and Tesseract's own installation put the language data."""
_LATIN = "eng"


@dataclass(slots=True)
class _Reader:
    """A loaded language; it is used by one thread at a time."""

    api: Any
    lock: threading.Lock = field(default_factory=threading.Lock)


class TesseractReader:
    """Reads lines of text in the languages whose data the system has; a language is loaded when it is first needed.

    `languages` are Tesseract's names (`kor`, `rus`); None: all of `SCRIPTS` that are installed. Words in Latin letters
    between others are read too where the data `eng` is there. Errors: ModelError for a language without data.
    """

    def __init__(self, languages: Sequence[str] | None = None) -> None:
        self._folder = _find_data_folder()
        known = [name for name in SCRIPTS if self._has(name)]
        missing = [name for name in languages or () if name not in known]
        if missing:
            raise ModelError(
                f"Tesseract has no data for {', '.join(missing)} in {self._folder or 'any known folder'} "
                "(Debian: tesseract-ocr-kor, tesseract-ocr-rus …)"
            )
        self.languages = tuple(known if languages is None else languages)
        self._readers: dict[str, _Reader] = {}
        self._lock = threading.Lock()

    @cached_property
    def model_id(self) -> str:
        """Identifier of the languages and their data."""
        names = [name for name in (*self.languages, _LATIN) if self._has(name)]
        return f"tesseract:{'+'.join(names)}@{fingerprint([self._data_file(name) for name in names])}"

    def read(self, line: Pixels, language: str) -> tuple[str, float]:
        """Return text and confidence (mean over words, in [0, 1]) of an upright line. Errors: ModelError."""
        reader = self._load(language)
        with reader.lock:
            reader.api.SetImage(Image.fromarray(line))
            reader.api.Recognize()
            text = unicodedata.normalize("NFKC", reader.api.GetUTF8Text())
            return " ".join(text.split()), reader.api.MeanTextConf() / 100

    def _load(self, language: str) -> _Reader:
        with self._lock:
            if language not in self._readers:
                self._readers[language] = _Reader(self._open(language))
            return self._readers[language]

    def _open(self, language: str) -> Any:  # noqa: ANN401 (tesserocr has no types)
        from tesserocr import PSM, PyTessBaseAPI

        names = f"{language}+{_LATIN}" if self._has(_LATIN) else language
        try:
            return PyTessBaseAPI(path=f"{self._folder}/", lang=names, psm=PSM.SINGLE_LINE)
        except RuntimeError as error:
            raise ModelError(f"{self._data_file(language)}: cannot be loaded: {error}") from error

    def _has(self, language: str) -> bool:
        return self._folder is not None and self._data_file(language).is_file()

    def _data_file(self, language: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{language}.traineddata"


def is_in_script(text: str, language: str) -> bool:
    """Return True if at least half of a text's letters are of the language's script, and two of them at least."""
    letters = [character for character in text if character.isalpha()]
    own = len(re.findall(f"[{SCRIPTS[language]}]", text))
    return own >= 2 and 2 * own >= len(letters)


def _find_data_folder() -> Path | None:
    folders = [os.environ.get("TESSDATA_PREFIX", ""), *_DATA_FOLDERS]
    return next((Path(folder) for folder in folders if folder and Path(folder).is_dir()), None)
