"""The keywords lane in Qdrant: sparse vectors find candidates, the score is our own."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from qdrant_client import models

from indexer.indexes.bm25 import Corpus, keyword_score
from indexer.indexes.qdrant.changes import View
from indexer.indexes.qdrant.filters import filter_of, holding
from indexer.indexes.qdrant.layout import KEYWORDS
from indexer.indexes.qdrant.server import QdrantServer
from indexer.types import SegmentFilter

_FEWEST_CANDIDATES = 1000
_SATURATION = 1.2
_LENGTH_WEIGHT = 0.75
_USUAL_LENGTH = 64
"""Tokens of a text whose length counts neither for nor against it, among candidates."""


def sparse(tokens: Sequence[str]) -> models.SparseVector:
    """What BM25 says of a text alone, a value for each term; Qdrant weighs them by rarity when it searches."""
    norm = _SATURATION * (1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * len(tokens) / _USUAL_LENGTH)
    values: Counter[int] = Counter()
    for term, count in Counter(tokens).items():
        values[_dimension(term)] += count
    indices = sorted(values)
    saturated = [values[at] * (_SATURATION + 1) / (values[at] + norm) for at in indices]
    return models.SparseVector(indices=indices, values=saturated)


class Keywords:
    """Scores texts by the share of the query's weight that they hold, as every index does (`bm25.keyword_score`).

    In how many texts a term stands is counted once for each state of the index.
    """

    def __init__(self, server: QdrantServer, collection: str) -> None:
        self._server, self._collection = server, collection
        self._counted: tuple[int, dict[str, int]] = (0, {})

    def scores(self, view: View, terms: Sequence[str], limit: int, where: SegmentFilter) -> dict[str, float]:
        """Point ids and scores. Candidates are the best by BM25, a thousand or four times the limit."""
        candidates = self._candidates(view, terms, max(_FEWEST_CANDIDATES, 4 * limit), where)
        if not candidates:
            return {}
        corpus = Corpus(view.documents, view.tokens, self._frequencies(view, terms))
        scores = {key: keyword_score(terms, tokens.split(" "), corpus) for key, tokens in candidates.items()}
        return {key: score for key, score in scores.items() if score}

    def _candidates(self, view: View, terms: Iterable[str], count: int, where: SegmentFilter) -> dict[str, str]:
        indices = sorted({_dimension(term) for term in terms})
        query = models.SparseVector(indices=indices, values=[1.0] * len(indices))
        with self._server.asked() as client:
            found = client.query_points(
                self._collection,
                query=query,
                using=KEYWORDS,
                query_filter=filter_of(where, view.not_to_be_seen(where)),
                limit=count,
                with_payload=["tokens"],
            )
        return {str(point.id): str((point.payload or {})["tokens"]) for point in found.points}

    def _frequencies(self, view: View, terms: Iterable[str]) -> Mapping[str, int]:
        number, known = self._counted
        if number != view.number:
            known = {}
            self._counted = view.number, known
        hidden = view.not_to_be_seen(SegmentFilter())
        for term in terms:
            if term not in known:
                with self._server.asked() as client:
                    counted = client.count(self._collection, holding("terms", term, hidden), exact=True)
                known[term] = counted.count
        return known


def _dimension(term: str) -> int:
    """A term's place among 2³² (two terms that share one meet among the candidates only)."""
    return int.from_bytes(hashlib.blake2s(term.encode(), digest_size=4).digest(), "big")
