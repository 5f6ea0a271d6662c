"""Identification of the language of a text, among the languages that the product knows."""

from __future__ import annotations

import re
import threading
from functools import cache, lru_cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from indexer.text.scripts import CYRILLIC, HAN, HANGUL, KANA

LANGUAGES = ("en", "de", "fr", "es", "ru", "ko", "ja", "zh")
"""Form: ISO 639-1 codes of the languages that have stop words, null queries and questions for training."""
_LATIN_LANGUAGES = ["en", "de", "fr", "es"]
_MIN_PROBABILITY = 0.7
"""Chosen: below it, words, codes and names could be of several languages."""
_READ_CHARS = 160
"""Chosen: two lines of text are enough; a longer text takes longer."""
_CHARS_OF_A_WORD = 2
"""Chosen: a Chinese word has two characters or so; words between spaces are counted as they are."""
_CACHED_TEXTS = 20_000
"""Form: texts that search finds again and again; 160 characters each."""
_WORD = re.compile(r"[^\W\d_]+")
_HANGUL, _CYRILLIC = re.compile(f"[{HANGUL}]"), re.compile(f"[{CYRILLIC}]")
_HAN_OR_KANA, _KANA = re.compile(f"[{HAN}{KANA}]"), re.compile(f"[{KANA}]")

_lock = threading.Lock()


def identify_language(text: str) -> str | None:
    """Return the code of a text's language, one of `LANGUAGES`; None where that cannot be told. Thread-safe.

    The script that most words are in decides; words in Latin letters are judged by `py3langid`.
    """
    return _identify(text[:_READ_CHARS])


@lru_cache(maxsize=_CACHED_TEXTS)
def _identify(text: str) -> str | None:
    words = _WORD.findall(text)
    weights = dict.fromkeys(("ko", "ru", "han"), 0.0)
    latin = []
    for word in words:
        if _HANGUL.search(word):  # a Korean ending behind a name in other letters is Korean
            weights["ko"] += 1
        elif _CYRILLIC.search(word):
            weights["ru"] += 1
        elif characters := _HAN_OR_KANA.findall(word):
            weights["han"] += len(characters) / _CHARS_OF_A_WORD
        else:
            latin.append(word)
    best = max(weights, key=weights.__getitem__)
    if weights[best] == 0 or len(latin) > weights[best]:
        return _identify_latin(" ".join(latin))
    if best == "han":
        return "ja" if _KANA.search(text) else "zh"
    return best


def _identify_latin(text: str) -> str | None:
    if not text:
        return None
    with _lock:
        language, probability = _load_identifier().classify(text)
    return str(language) if probability >= _MIN_PROBABILITY else None


@cache
def _load_identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(_LATIN_LANGUAGES)
    return identifier
