"""Keywords lane in Qdrant: sparse vectors select candidates, which `indexer.indexes.bm25` scores (decision 0048)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from qdrant_client import models

from indexer.indexes.bm25 import BM25_B, BM25_K1, CorpusStatistics, candidate_count, score_keywords
from indexer.indexes.qdrant.collections import KEYWORDS_VECTOR
from indexer.indexes.qdrant.commit_log import Snapshot
from indexer.indexes.qdrant.connection import QdrantConnection
from indexer.indexes.qdrant.filters import field_equals, to_qdrant_filter
from indexer.types import SegmentFilter

_TYPICAL_TOKEN_COUNT = 64
"""Chosen: stands for the mean length of texts, unknown when a point is written; affects which candidates are scored."""


def to_sparse_vector(tokens: Sequence[str]) -> models.SparseVector:
    """Return the BM25 weights of a text's terms without their IDF, which Qdrant multiplies at search."""
    norm = BM25_K1 * (1 - BM25_B + BM25_B * len(tokens) / _TYPICAL_TOKEN_COUNT)
    values: Counter[int] = Counter()
    for term, count in Counter(tokens).items():
        values[_term_index(term)] += count
    indices = sorted(values)
    saturated = [values[index] * (BM25_K1 + 1) / (values[index] + norm) for index in indices]
    return models.SparseVector(indices=indices, values=saturated)


class KeywordScorer:
    """Scorer of the keywords lane: the matched share of the query's IDF (`bm25.score_keywords`).

    Document frequencies are counted once for each state of the index.
    """

    def __init__(self, connection: QdrantConnection, collection: str) -> None:
        self._connection, self._collection = connection, collection
        self._frequency_cache: tuple[int, dict[str, int]] = (0, {})

    def score(self, snapshot: Snapshot, terms: Sequence[str], limit: int, filters: SegmentFilter) -> dict[str, float]:
        """Return the scores of the best candidates by point id, zero scores left out."""
        candidates = self._candidates(snapshot, terms, candidate_count(limit), filters)
        if not candidates:
            return {}
        corpus = CorpusStatistics(snapshot.documents, snapshot.tokens, self._document_frequencies(snapshot, terms))
        scores = {key: score_keywords(terms, tokens.split(" "), corpus) for key, tokens in candidates.items()}
        return {key: score for key, score in scores.items() if score}

    def _candidates(
        self, snapshot: Snapshot, terms: Iterable[str], count: int, filters: SegmentFilter
    ) -> dict[str, str]:
        indices = sorted({_term_index(term) for term in terms})
        query = models.SparseVector(indices=indices, values=[1.0] * len(indices))
        with self._connection.client() as client:
            response = client.query_points(
                self._collection,
                query=query,
                using=KEYWORDS_VECTOR,
                query_filter=to_qdrant_filter(filters, snapshot.hidden_puts(filters)),
                limit=count,
                with_payload=["tokens"],
            )
        return {str(point.id): str((point.payload or {})["tokens"]) for point in response.points}

    def _document_frequencies(self, snapshot: Snapshot, terms: Iterable[str]) -> Mapping[str, int]:
        number, frequencies = self._frequency_cache
        if number != snapshot.number:
            frequencies = {}
            self._frequency_cache = snapshot.number, frequencies
        hidden = snapshot.hidden_puts(SegmentFilter())
        for term in terms:
            if term not in frequencies:
                with self._connection.client() as client:
                    counted = client.count(self._collection, field_equals("terms", term, hidden), exact=True)
                frequencies[term] = counted.count
        return frequencies


def _term_index(term: str) -> int:
    """Return a term's 32-bit hash, its index in sparse vectors; collisions only add candidates."""
    return int.from_bytes(hashlib.blake2s(term.encode(), digest_size=4).digest(), "big")
