"""How well a text answers a query by its words, comparable between queries."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_BM25_K1 = 1.2
_BM25_B = 0.75
_TIE_BREAK_WEIGHT = 0.01


@dataclass(frozen=True, slots=True)
class CorpusStatistics:
    """What the whole index knows of words: its texts, their tokens together, and in how many texts each term stands."""

    document_count: int
    token_count: int
    document_frequencies: Mapping[str, int]

    def inverse_document_frequency(self, term: str) -> float:
        """The inverse document frequency of a term, above zero; a term never seen weighs most."""
        frequency = self.document_frequencies.get(term, 0)
        return math.log1p((self.document_count - frequency + 0.5) / (frequency + 0.5))


def score_keywords(terms: Sequence[str], document: Sequence[str], corpus: CorpusStatistics) -> float:
    """The share of the query's weight that the document contains, in [0, 1], to seven decimals.

    One hundredth of the score is BM25 (Robertson and Zaragoza 2009), squashed, so that equal shares are ordered by it.
    """
    weights = {term: corpus.inverse_document_frequency(term) for term in terms}
    total_weight = sum(weights.values())
    term_counts = Counter(token for token in document if token in weights)
    if not term_counts:
        return 0.0
    share = sum(weights[term] for term in terms if term in term_counts) / total_weight
    mean_length = corpus.token_count / corpus.document_count
    norm = _BM25_K1 * (1 - _BM25_B + _BM25_B * len(document) / mean_length)
    bm25 = sum(
        weights[t] * term_counts[t] * (_BM25_K1 + 1) / (term_counts[t] + norm) for t in terms if t in term_counts
    )
    return round((1 - _TIE_BREAK_WEIGHT) * share + _TIE_BREAK_WEIGHT * bm25 / (bm25 + total_weight), 7)
