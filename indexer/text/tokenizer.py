"""Words of the keywords lane: what a text is found by, the same for every index and in every script."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

import snowballstemmer

from indexer.text import stopwords

JOINERS = "-._@+,:/&#'"
"""What may stand between the parts of a code, a number or an address; FTS5 must take these as token characters."""

MAX_TOKEN_CHARS = 64
MAX_QUERY_TERMS = 256

_HIRAGANA = "\u3041-\u309f"
_KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
_HANGUL = "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3"
_HAN = "\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SOUTH_EAST_ASIAN = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_UNSPACED = _HIRAGANA + _KATAKANA + _HANGUL + _HAN + _SOUTH_EAST_ASIAN

_PIECE_PATTERN = re.compile(
    rf"(?P<run>[{_UNSPACED}]+)|[^\W_{_UNSPACED}]+(?:[{re.escape(JOINERS)}][^\W_{_UNSPACED}]+)*",
)
_PART_PATTERN = re.compile(r"[^\W_]+")
_SCRIPT_RUN_PATTERN = re.compile(rf"[{_HAN}{_HIRAGANA}]+|[{_KATAKANA}]+|[{_HANGUL}]+|[{_SOUTH_EAST_ASIAN}]+")
_HIRAGANA_RUN_PATTERN = re.compile(rf"[{_HIRAGANA}]+")
_LEADING_PARTICLES = re.compile(f"^(?:{stopwords.JAPANESE_STOPWORD_PATTERN})+")
_TRAILING_PARTICLES = re.compile(f"(?:{stopwords.JAPANESE_STOPWORD_PATTERN})+$")


def tokenize(text: str) -> list[str]:
    """The tokens of a text, in order, function words left out.

    Words are folded (case, width, accents) and stemmed; codes, numbers and addresses stand whole and in parts;
    runs of Han, kana, Hangul and South-East Asian scripts give every character and every pair of neighbours.
    """
    terms: list[str] = []
    for piece in _split_pieces(text):
        if piece["run"]:
            terms += _unigrams_and_bigrams(piece[0])
        else:
            terms += _compound_tokens(piece[0])
    return terms


def tokenize_query(text: str) -> tuple[str, ...]:
    """The tokens that a text must contain to answer this query, distinct, in order; none where nothing is asked for.

    Unspaced runs are freed of particles and question words and become pairs (single characters where they stand
    alone). A query that is one such run and would vanish is taken as it is.
    """
    pieces = list(_split_pieces(text))
    terms: list[str] = []
    for piece in pieces:
        if piece["run"]:
            for word in _content_words(piece[0]):
                terms += _bigrams(word)
        else:
            terms += _compound_tokens(piece[0])
    if not terms and len(pieces) == 1 and pieces[0]["run"]:
        terms = _bigrams(pieces[0][0])
    return tuple(dict.fromkeys(terms))[:MAX_QUERY_TERMS]


def _split_pieces(text: str) -> Iterator[re.Match[str]]:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).replace("’", "'")
    return _PIECE_PATTERN.finditer(_strip_marks(folded.replace("_", "-")))


def _strip_marks(text: str) -> str:
    return text if text.isascii() else "".join(c for c in text if not unicodedata.category(c).startswith("M"))


def _compound_tokens(word: str) -> Iterator[str]:
    plain = _strip_marks(unicodedata.normalize("NFKD", word))
    parts: list[str] = _PART_PATTERN.findall(plain)
    if len(parts) > 1 and len(plain) <= MAX_TOKEN_CHARS and re.search(r"[0-9@&]", plain):
        yield plain
    for part in parts:
        if part not in stopwords.ENGLISH_STOPWORDS:
            yield _stem(part)[:MAX_TOKEN_CHARS]


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    """English endings taken off (Snowball's Porter 2), so that deviates and deviation meet; other scripts stay."""
    if len(word) < 4 or not (word.isascii() and word.isalpha()):
        return word
    return str(_stemmers.english.stemWord(word))


class _Stemmers(threading.local):
    """Snowball's stemmers keep state while they work: one a thread."""

    def __init__(self) -> None:
        self.english = snowballstemmer.stemmer("english")


_stemmers = _Stemmers()


def _unigrams_and_bigrams(run: str) -> Iterator[str]:
    for place, character in enumerate(run):
        yield character
        if place + 1 < len(run):
            yield run[place : place + 2]


def _bigrams(run: str) -> list[str]:
    return [run[place : place + 2] for place in range(len(run) - 1)] or [run]


def _content_words(run: str) -> Iterator[str]:
    for spaced in _SCRIPT_RUN_PATTERN.findall(
        stopwords.CHINESE_STOPWORD_PATTERN.sub(" ", _HIRAGANA_RUN_PATTERN.sub(_strip_particles, run))
    ):
        word = spaced
        if re.match(f"[{_HANGUL}]", word):
            word = word if word in stopwords.KOREAN_STOPWORDS else stopwords.KOREAN_PARTICLE_PATTERN.sub("", word)
            if word in stopwords.KOREAN_STOPWORDS:
                continue
        yield word


def _strip_particles(hiragana: re.Match[str]) -> str:
    """Particles at both ends of a run of Hiragana become spaces; endings of verbs stay with their Han."""
    return _TRAILING_PARTICLES.sub(" ", _LEADING_PARTICLES.sub(" ", hiragana[0]))
