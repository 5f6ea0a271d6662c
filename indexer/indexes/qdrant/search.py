"""Searches in one index in Qdrant, each in one state of it."""

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
from indexer.indexes.ranking import sort_best_first
from indexer.text import tokenizer
from indexer.types import Hit, Lane, SegmentFilter

_EXTRA_CANDIDATES = 8
_MAX_TIED_CANDIDATES = 4096
_TIE_TOLERANCE = 2e-6
_SCORE_DECIMALS = 6
"""Qdrant's scores are float32: what is equal is equal up to here."""
_MAX_ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class SearchPrecision:
    """Lanes of up to `exact_up_to` vectors are searched exactly; in larger ones, where vectors are `quantized`, more
    are found by their copies and scored by themselves."""

    exact_up_to: int
    quantized: bool


class QdrantSearcher:
    """Searches the collection `segments`, whose log is `changes`. Errors: those of `SegmentIndex.search`, IndexBusy."""

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
        """Hits of one state: found again where something was written meanwhile."""
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
        """The nearest segments, and all that are tied with the last of them (up to 4,096)."""
        space = snapshot.spaces.get(lane)
        if space is None:
            return []
        vector_rows.verify_model(lane, space.model, self._model_ids.get(lane, ""))
        point = vector_rows.validate_query(query, lane, space.dim).tolist()
        count = limit + _EXTRA_CANDIDATES
        candidates = self._query(snapshot, space, point, count, filters)
        while _ends_in_a_tie(candidates, limit, count) and count < limit + _MAX_TIED_CANDIDATES:
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
        quantization = models.QuantizationSearchParams(rescore=True, oversampling=2.0)
        return models.SearchParams(hnsw_ef=256, quantization=quantization if self._precision.quantized else None)

    def _search_keywords(
        self, snapshot: Snapshot, terms: tuple[str, ...], limit: int, filters: SegmentFilter
    ) -> list[Hit]:
        scores = self._keyword_scorer.score(snapshot, terms, limit, filters)
        least = sorted(scores.values(), reverse=True)[:limit][-1:]
        best_ids = [key for key, score in scores.items() if score >= least[0]]
        if not best_ids:
            return []
        with self._connection.client() as client:
            records = client.retrieve(self._segments, best_ids, with_payload=["asset_id", "segment"])
        return list(_hits(snapshot, Lane.KEYWORDS, ((scores[str(record.id)], record.payload) for record in records)))


def _hits(snapshot: Snapshot, lane: Lane, scored: Iterable[tuple[float, models.Payload | None]]) -> Iterator[Hit]:
    for score, payload in scored:
        entry = snapshot.entry(str((payload or {})["asset_id"]))
        if entry is not None:  # else the view is behind, and the hits are found again
            yield Hit(entry.tags.asset_id, entry.tags.kind, lane, decode_segment(payload or {}), score)


def _ends_in_a_tie(candidates: list[models.ScoredPoint], limit: int, count: int) -> bool:
    return len(candidates) >= count and candidates[limit - 1].score - candidates[-1].score < _TIE_TOLERANCE
