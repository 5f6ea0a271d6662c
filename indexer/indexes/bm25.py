"""Keyword score that is comparable between queries: the matched share of the query's IDF (decision 0005)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from indexer.indexes.ranking import SCORE_DECIMALS

BM25_K1 = 1.2
"""Source: saturation of term counts; Lucene's default, of the 1.2 to 2 in Robertson and Zaragoza 2009."""

BM25_B = 0.75
"""Source: normalisation by length; Lucene's default, of the 0.5 to 0.8 in Robertson and Zaragoza 2009."""

_TIE_BREAK_WEIGHT = 0.01
"""Chosen: orders texts of equal share; a larger weight makes scores of different queries less comparable."""

_MIN_CANDIDATES = 1000
"""Chosen: texts scored at least; fewer are faster, but BM25 may rank a text of a larger IDF share behind them."""

_CANDIDATES_PER_HIT = 4
"""Chosen: texts scored for each hit of a search with a large limit; more are slower."""


@dataclass(frozen=True, slots=True)
class CorpusStatistics:
    """Term statistics of an index: number of texts, of all their tokens, and of texts with each term."""

    document_count: int
    token_count: int
    document_frequencies: Mapping[str, int]

    def inverse_document_frequency(self, term: str) -> float:
        """Return the inverse document frequency of a term, above zero; highest for an unknown term."""
        frequency = self.document_frequencies.get(term, 0)
        return math.log1p((self.document_count - frequency + 0.5) / (frequency + 0.5))


def score_keywords(terms: Sequence[str], document: Sequence[str], corpus: CorpusStatistics) -> float:
    """Return the share of the query's IDF that the document's tokens match, in [0, 1], to seven decimals.

    One hundredth of the score is BM25 (Robertson and Zaragoza 2009), squashed to [0, 1), which orders equal shares.
    """
    weights = {term: corpus.inverse_document_frequency(term) for term in terms}
    total_weight = sum(weights.values())
    term_counts = Counter(token for token in document if token in weights)
    if not term_counts:
        return 0.0
    share = sum(weights[term] for term in terms if term in term_counts) / total_weight
    mean_length = corpus.token_count / corpus.document_count
    norm = BM25_K1 * (1 - BM25_B + BM25_B * len(document) / mean_length)
    bm25 = sum(
        weights[term] * term_counts[term] * (BM25_K1 + 1) / (term_counts[term] + norm)
        for term in terms
        if term in term_counts
    )
    return round((1 - _TIE_BREAK_WEIGHT) * share + _TIE_BREAK_WEIGHT * bm25 / (bm25 + total_weight), SCORE_DECIMALS)


def candidate_count(limit: int) -> int:
    """Return how many texts, the best by BM25, are scored for a search of `limit` hits."""
    return max(_MIN_CANDIDATES, _CANDIDATES_PER_HIT * limit)
