"""Search in a Qdrant index; each search sees one consistent state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models

from indexer.errors import InvalidInput, WriteLockTimeout
from indexer.indexes import vector_rows
from indexer.indexes.qdrant.commit_log import CommitLog, Snapshot, VectorSpace
from indexer.indexes.qdrant.connection import QdrantConnection
from indexer.indexes.qdrant.filters import to_qdrant_filter
from indexer.indexes.qdrant.keywords import KeywordScorer
from indexer.indexes.qdrant.points import decode_segment
from indexer.indexes.ranking import EXTRA_CANDIDATES, MAX_TIED_CANDIDATES, TIE_TOLERANCE, sort_best_first
from indexer.text import tokenizer
from indexer.types import Hit, Lane, SegmentFilter

_SCORE_DECIMALS = 6
"""Chosen: Qdrant's scores are float32, where equal scores differ beyond this; fewer decimals would merge others."""

_MAX_ATTEMPTS = 50
"""Chosen: repetitions of a search while the index changes; fewer fail sooner beside many writers."""


@dataclass(frozen=True, slots=True)
class SearchPrecision:
    """Precision of vector search: exact in lanes of up to `exact_up_to` vectors, by HNSW in larger ones.

    Where vectors are `quantized`, more candidates are found by their int8 copies, and rescored by the vectors.
    """

    exact_up_to: int
    quantized: bool
    hnsw_ef: int = 256
    """Chosen: candidates that HNSW keeps during a search; more raise recall and time."""

    oversampling: float = 2.0
    """Chosen: candidates by int8 copies for each one asked for; more raise recall and time."""


class QdrantSearcher:
    """Search in the collection `segments` by its commit log.

    Errors: those of `SegmentIndex.search`, WriteLockTimeout.
    """

    def __init__(
        self,
        connection: QdrantConnection,
        segments: str,
        log: CommitLog,
        model_ids: Mapping[Lane, str],
        precision: SearchPrecision,
    ) -> None:
        self._connection, self._segments, self._log = connection, segments, log
        self._model_ids, self._precision = model_ids, precision
        self._keyword_scorer = KeywordScorer(connection, segments)

    def search(self, lane: Lane, query: NDArray[np.float32] | str, limit: int, filters: SegmentFilter) -> list[Hit]:
        """Return at most `limit` hits of one state, best first; search again where the index changed meanwhile."""
        for _ in range(_MAX_ATTEMPTS):
            snapshot = self._log.snapshot
            hits = self._search_snapshot(snapshot, lane, query, limit, filters)
            if self._log.refresh() is snapshot:
                return sort_best_first(hits)[:limit]
        raise WriteLockTimeout("the index changes faster than it can be searched")

    def _search_snapshot(
        self, snapshot: Snapshot, lane: Lane, query: NDArray[np.float32] | str, limit: int, filters: SegmentFilter
    ) -> list[Hit]:
        if lane is not Lane.KEYWORDS:
            return self._search_vectors(snapshot, lane, query, limit, filters)
        if not isinstance(query, str):
            raise InvalidInput("the keywords lane is searched with words, not with a vector")
        terms = tokenizer.tokenize_query(query)
        return self._search_keywords(snapshot, terms, limit, filters) if terms else []

    def _search_vectors(
        self, snapshot: Snapshot, lane: Lane, query: NDArray[np.float32] | str, limit: int, filters: SegmentFilter
    ) -> list[Hit]:
        """Return the nearest segments, and those that are tied with the last of them (up to 4,096)."""
        space = snapshot.spaces.get(lane)
        if space is None:
            return []
        vector_rows.verify_model(lane, space.model, self._model_ids.get(lane, ""))
        point = vector_rows.validate_query(query, lane, space.dim).tolist()
        count = limit + EXTRA_CANDIDATES
        candidates = self._query(snapshot, space, point, count, filters)
        while _ends_in_a_tie(candidates, limit, count) and count < limit + MAX_TIED_CANDIDATES:
            count *= 2
            candidates = self._query(snapshot, space, point, count, filters)
        scored = ((round(point.score, _SCORE_DECIMALS), point.payload) for point in candidates)
        return list(_hits(snapshot, lane, scored))

    def _query(
        self, snapshot: Snapshot, space: VectorSpace, vector: list[float], count: int, filters: SegmentFilter
    ) -> list[models.ScoredPoint]:
        with self._connection.client() as client:
            return client.query_points(
                self._segments,
                query=vector,
                using=space.name,
                query_filter=to_qdrant_filter(filters, snapshot.hidden_puts(filters)),
                search_params=self._search_params(space),
                limit=count,
                with_payload=["asset_id", "segment"],
            ).points

    def _search_params(self, space: VectorSpace) -> models.SearchParams | None:
        if self._connection.is_local:  # always exact
            return None
        if space.vectors <= self._precision.exact_up_to:
            return models.SearchParams(exact=True)
        precision = self._precision
        quantization = models.QuantizationSearchParams(rescore=True, oversampling=precision.oversampling)
        return models.SearchParams(
            hnsw_ef=precision.hnsw_ef, quantization=quantization if precision.quantized else None
        )

    def _search_keywords(
        self, snapshot: Snapshot, terms: tuple[str, ...], limit: int, filters: SegmentFilter
    ) -> list[Hit]:
        scores = self._keyword_scorer.score(snapshot, terms, limit, filters)
        min_score = sorted(scores.values(), reverse=True)[:limit][-1:]
        best_ids = [key for key, score in scores.items() if score >= min_score[0]]
        if not best_ids:
            return []
        with self._connection.client() as client:
            records = client.retrieve(self._segments, best_ids, with_payload=["asset_id", "segment"])
        return list(_hits(snapshot, Lane.KEYWORDS, ((scores[str(record.id)], record.payload) for record in records)))


def _hits(snapshot: Snapshot, lane: Lane, scored: Iterable[tuple[float, models.Payload | None]]) -> Iterator[Hit]:
    for score, payload in scored:
        entry = snapshot.entry(str((payload or {})["asset_id"]))
        if entry is not None:  # else the snapshot is outdated, and the search is repeated
            yield Hit(entry.tags.asset_id, entry.tags.kind, lane, decode_segment(payload or {}), score)


def _ends_in_a_tie(candidates: list[models.ScoredPoint], limit: int, count: int) -> bool:
    return len(candidates) >= count and candidates[limit - 1].score - candidates[-1].score < TIE_TOLERANCE
