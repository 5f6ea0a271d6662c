"""Compare claims with text by rules: word overlap, stemmed recall, negation, numbers, pages, times."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from indexer.text.tokenizer import tokenize
from services.answering.rules.temporal_attribution import is_within_any
from services.answering.rules.timestamps import parse_timestamps, strip_timestamps
from services.generators.types import Evidence

_WORD, _DIGITS = re.compile(r"\w+"), re.compile(r"\d+")
_NEGATION = re.compile(r"\b(?:no|not|never|none|nobody|nothing|without)\b|n't\b", re.IGNORECASE)
_REPORTED_SPEECH = re.compile(r"\b(?:says?|said|reads?|written)\b[:,]?\s*(.+)", re.IGNORECASE | re.DOTALL)
_PAGE = re.compile(r"\bpages?\s+(\d+)", re.IGNORECASE)
_TEMPORAL_CONJUNCTION = re.compile(r",? (before|after|then) ", re.IGNORECASE)


def word_overlap(sentence: str, text: str) -> float:
    """Return the share of a sentence's words that the text has, as often; case and punctuation do not count."""
    remaining, words = _split_words(text), _split_words(sentence)
    matches = 0
    for word in words:
        if word in remaining:
            remaining.remove(word)
            matches += 1
    return matches / len(words) if words else 0.0


def token_recall(sentence: str, text: str) -> float:
    """Return the share of a sentence's content words, stemmed, that the text has; 0 where only the sentence negates."""
    content, available = set(tokenize(sentence)), set(tokenize(text))
    if _NEGATION.search(sentence) and not _NEGATION.search(text):
        return 0.0
    return len(content & available) / len(content) if content else 0.0


def find_reported_speech(sentence: str) -> str | None:
    """Return what a sentence says that somebody or something says (`The sign reads …`); None where it does not."""
    match = _REPORTED_SPEECH.search(sentence)
    return None if match is None else match[1]


def split_sequence(sentence: str) -> tuple[str, str] | None:
    """Split `A before B`, `B after A`, `A, then B` into (A, B) in order of time; None for any other sentence."""
    conjunction = _TEMPORAL_CONJUNCTION.search(sentence)
    if conjunction is None:
        return None
    first, second = sentence[: conjunction.start()], sentence[conjunction.end() :]
    return (second, first) if conjunction[1].casefold() == "after" else (first, second)


def has_unsupported_numbers(sentence: str, text: str) -> bool:
    """Tell whether a sentence has a number, besides times and pages, that the text has not."""
    return not _find_numbers(_PAGE.sub("", sentence)) <= _find_numbers(text)


def timestamps_match(text: str, cited_evidence: Sequence[Evidence]) -> bool:
    """Tell whether every time in a sentence lies in a span that it cites.

    Names of cited files may hold any time. Evidence without a span (pages, photos) neither proves nor refutes one.
    """
    for piece in cited_evidence:
        text = text.replace(piece.asset.name, " ")
    spans = [piece.span for piece in cited_evidence if piece.span is not None]
    return not spans or all(is_within_any(time_s, spans) for time_s in parse_timestamps(text))


def pages_match(text: str, cited_evidence: Sequence[Evidence]) -> bool:
    """Tell whether every page that a sentence names is cited, or is named by a cited page; others have no pages."""
    pages = {str(piece.segment.page) for piece in cited_evidence if piece.segment.page is not None}
    named = {page for piece in cited_evidence for page in _PAGE.findall(piece.text)}
    return not pages or set(_PAGE.findall(text)) <= pages | named


def _find_numbers(text: str) -> set[str]:
    return set(_DIGITS.findall(strip_timestamps(text)))


def _split_words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
