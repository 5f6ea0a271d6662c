"""Tokenizer of the keywords lane: one for every index, for words, codes and unspaced scripts."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Set
from functools import lru_cache

import snowballstemmer

from indexer.text import stopwords
from indexer.text.accents import strip_marks, unaccented
from indexer.text.language import identify_language
from indexer.text.numbers import NUMBER, mark_groups, number_tokens, number_variants, split_currencies
from indexer.text.scripts import HAN, HANGUL, HIRAGANA, KATAKANA
from indexer.text.token_variants import compound_variants, spaced_codes

JOINERS = "-._@+,:/&#'"
"""Characters between the parts of a code, a number or an address; FTS5 must treat these as token characters."""

MAX_TOKEN_CHARS = 64
"""Chosen: longer tokens are cut; bounds the index, while no word or code that people search for is longer."""
MAX_QUERY_TERMS = 256
"""Chosen: bounds the cost of a query; later terms of a longer one are ignored."""
_MIN_STEM_CHARS = 4
"""Chosen: shorter words are not stemmed, since what remains would match unrelated words."""
_STEM_CACHE_SIZE = 50_000  # Form: size of a cache

_SOUTH_EAST_ASIAN = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_UNSPACED = HIRAGANA + KATAKANA + HANGUL + HAN + _SOUTH_EAST_ASIAN

_PIECE_PATTERN = re.compile(
    rf"(?P<run>[{_UNSPACED}]+)|(?P<number>{NUMBER})|[^\W_{_UNSPACED}]+(?:[{re.escape(JOINERS)}][^\W_{_UNSPACED}]+)*",
)
_FOLDED_JOINERS = str.maketrans("’_‐‑", "'---")
_PART_PATTERN = re.compile(r"[^\W_]+")
_SCRIPT_RUN_PATTERN = re.compile(rf"[{HAN}{HIRAGANA}]+|[{KATAKANA}]+|[{HANGUL}]+|[{_SOUTH_EAST_ASIAN}]+")
_HIRAGANA_RUN_PATTERN = re.compile(rf"[{HIRAGANA}]+")
_LEADING_PARTICLES = re.compile(f"^(?:{stopwords.JAPANESE_STOPWORD_PATTERN})+")
_TRAILING_PARTICLES = re.compile(f"(?:{stopwords.JAPANESE_STOPWORD_PATTERN})+$")


def tokenize(text: str) -> list[str]:
    """Return the tokens of a text, in order, without stop words.

    Words are folded (case, width, accents) and stemmed; codes, numbers and addresses are kept whole and in parts,
    numbers as in `8412.50`, whatever divides their thousands; runs of Han, kana, Hangul and South-East Asian scripts
    become character unigrams and bigrams.
    """
    terms: list[str] = []
    for piece in _split_pieces(text):
        terms += _unigrams_and_bigrams(piece[0]) if piece["run"] else _spaced_tokens(piece)
    return terms


def tokenize_document(text: str) -> list[str]:
    """Return the tokens that a text is indexed by: those of `tokenize`, and variants of numbers, compounds and codes.

    Queries have no variants, so that a text need not hold them all.
    """
    variants: list[str] = []
    for piece in _split_pieces(text):
        if piece["number"]:
            variants += number_variants(piece[0])
        elif not piece["run"]:
            variants += (_stem(variant)[:MAX_TOKEN_CHARS] for variant in compound_variants(unaccented(piece[0])))
    variants += spaced_codes(unicodedata.normalize("NFKC", text))
    return tokenize(text) + variants


def tokenize_query(text: str) -> tuple[str, ...]:
    """Return the distinct tokens to search a query by, in order; empty where it has only stop words.

    Stop words of the query's language are left out, English ones always. Unspaced runs lose particles and question
    words and become bigrams (a unigram where a character stands alone). A query that is one such run and would become
    empty is kept whole.
    """
    pieces = list(_split_pieces(text))
    stop = stopwords.QUERY_STOPWORDS.get(identify_language(text) or "", frozenset())
    terms: list[str] = []
    for piece in pieces:
        if piece["run"]:
            for word in _content_words(piece[0]):
                terms += _bigrams(word)
        else:
            terms += _spaced_tokens(piece, stop)
    if not terms and len(pieces) == 1 and pieces[0]["run"]:
        terms = _bigrams(pieces[0][0])
    return tuple(dict.fromkeys(terms))[:MAX_QUERY_TERMS]


def _split_pieces(text: str) -> Iterator[re.Match[str]]:
    """Yield matches of unspaced runs, numbers and words, of the text folded by NFKC and case."""
    compatible = unicodedata.normalize("NFKC", mark_groups(text))
    folded = unicodedata.normalize("NFKC", compatible.casefold()).translate(_FOLDED_JOINERS)
    return _PIECE_PATTERN.finditer(split_currencies(strip_marks(folded)))


def _spaced_tokens(piece: re.Match[str], stop: Set[str] = frozenset()) -> Iterable[str]:
    """Return the tokens of a number or word, without English stop words and those of `stop`."""
    return number_tokens(piece[0]) if piece["number"] else _compound_tokens(piece[0], stop)


def _compound_tokens(word: str, stop: Set[str]) -> Iterator[str]:
    """Yield a code or address whole, then the stems of its parts; of a plain word, its stem."""
    plain = unaccented(word)
    parts: list[str] = _PART_PATTERN.findall(plain)
    if len(parts) > 1 and len(plain) <= MAX_TOKEN_CHARS and re.search(r"[0-9@&]", plain):
        yield plain
    for part in parts:
        if part not in stopwords.ENGLISH_STOPWORDS and part not in stop:
            yield _stem(part)[:MAX_TOKEN_CHARS]


@lru_cache(maxsize=_STEM_CACHE_SIZE)
def _stem(word: str) -> str:
    """Return the English stem of a word (Snowball's Porter 2); words of other scripts are returned unchanged."""
    if len(word) < _MIN_STEM_CHARS or not (word.isascii() and word.isalpha()):
        return word
    return str(_stemmers.english.stemWord(word))


class _Stemmers(threading.local):
    """Snowball stemmers of a thread; they are not thread-safe."""

    def __init__(self) -> None:
        self.english = snowballstemmer.stemmer("english")


_stemmers = _Stemmers()


def _unigrams_and_bigrams(run: str) -> Iterator[str]:
    """Yield each character of a run, and each pair of neighbours."""
    for i, character in enumerate(run):
        yield character
        if i + 1 < len(run):
            yield run[i : i + 2]


def _bigrams(run: str) -> list[str]:
    """Return the pairs of neighbours of a run; a single character as it is."""
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


def _content_words(run: str) -> Iterator[str]:
    """Yield the words of an unspaced run, split where the script changes, without particles and question words."""
    for word in _SCRIPT_RUN_PATTERN.findall(
        stopwords.CHINESE_STOPWORD_PATTERN.sub(" ", _HIRAGANA_RUN_PATTERN.sub(_strip_particles, run))
    ):
        if re.match(f"[{HANGUL}]", word):
            stem = word if word in stopwords.KOREAN_STOPWORDS else stopwords.KOREAN_PARTICLE_PATTERN.sub("", word)
            if stem not in stopwords.KOREAN_STOPWORDS:
                yield stem
        else:
            yield word


def _strip_particles(hiragana: re.Match[str]) -> str:
    """Replace particles at both ends of a run of hiragana by spaces; verb endings inside stay."""
    return _TRAILING_PARTICLES.sub(" ", _LEADING_PARTICLES.sub(" ", hiragana[0]))
