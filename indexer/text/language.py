"""Identification of the language of a text, among the languages that the product knows."""

from __future__ import annotations

import threading
from functools import cache, lru_cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

LANGUAGES = ("en", "de", "fr", "es", "ru", "ko", "ja", "zh")
"""Form: ISO 639-1 codes of the languages that have stop words, null queries and questions for training."""
_MIN_PROBABILITY = 0.7
"""Chosen: below it, words, codes and names could be of several languages."""
_READ_CHARS = 160
"""Chosen: two lines of text are enough; a longer text takes longer."""
_CACHED_TEXTS = 20_000
"""Form: texts that search finds again and again; 160 characters each."""

_lock = threading.Lock()


def identify_language(text: str) -> str | None:
    """Return the code of a text's language, one of `LANGUAGES`; None where that cannot be told. Thread-safe."""
    return _identify(text[:_READ_CHARS])


@lru_cache(maxsize=_CACHED_TEXTS)
def _identify(text: str) -> str | None:
    if not any(character.isalpha() for character in text):
        return None
    with _lock:
        language, probability = _load_identifier().classify(text)
    return str(language) if probability >= _MIN_PROBABILITY else None


@cache
def _load_identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    return identifier
