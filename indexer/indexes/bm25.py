"""How well a text answers a query by its words, comparable between queries."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SATURATION = 1.2
_LENGTH_WEIGHT = 0.75
_TIE_WEIGHT = 0.01


@dataclass(frozen=True, slots=True)
class Corpus:
    """What the whole index knows of words: its texts, their tokens together, and in how many texts each term stands."""

    documents: int
    tokens: int
    frequencies: Mapping[str, int]

    def weight(self, term: str) -> float:
        """The inverse document frequency of a term, above zero; a term never seen weighs most."""
        frequency = self.frequencies.get(term, 0)
        return math.log1p((self.documents - frequency + 0.5) / (frequency + 0.5))


def keyword_score(terms: Sequence[str], document: Sequence[str], corpus: Corpus) -> float:
    """The share of the query's weight that the document contains, in [0, 1], to seven decimals.

    One hundredth of the score is BM25 (Robertson and Zaragoza 2009), squashed, so that equal shares are ordered by it.
    """
    weights = {term: corpus.weight(term) for term in terms}
    wanted = sum(weights.values())
    found = Counter(token for token in document if token in weights)
    if not found:
        return 0.0
    share = sum(weights[term] for term in terms if term in found) / wanted
    mean_length = corpus.tokens / corpus.documents
    norm = _SATURATION * (1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * len(document) / mean_length)
    bm25 = sum(weights[t] * found[t] * (_SATURATION + 1) / (found[t] + norm) for t in terms if t in found)
    return round((1 - _TIE_WEIGHT) * share + _TIE_WEIGHT * bm25 / (bm25 + wanted), 7)
