"""Searches in one index in Qdrant, each in one state of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models

from indexer.errors import IndexBusy, QueryError
from indexer.indexes import vectors, words
from indexer.indexes.qdrant.changes import Changes, Space, View
from indexer.indexes.qdrant.filters import filter_of
from indexer.indexes.qdrant.keywords import Keywords
from indexer.indexes.qdrant.points import segment_of
from indexer.indexes.qdrant.server import QdrantServer
from indexer.indexes.ranking import best_first
from indexer.types import Hit, Lane, SegmentFilter

_SPARE = 8
_MOST_TIED = 4096
_TIED = 2e-6
_DECIMALS = 6
"""Qdrant's scores are float32: what is equal is equal up to here."""
_TRIES = 50


@dataclass(frozen=True, slots=True)
class Precision:
    """Lanes of up to `exact_up_to` vectors are searched exactly; in larger ones, where vectors are `quantized`, more
    are found by their copies and scored by themselves."""

    exact_up_to: int
    quantized: bool


class Reader:
    """Searches the collection `segments`, whose log is `changes`. Errors: those of `SegmentIndex.search`, IndexBusy."""

    def __init__(
        self,
        server: QdrantServer,
        segments: str,
        changes: Changes,
        models_of: Mapping[Lane, str],
        precision: Precision,
    ) -> None:
        self._server, self._segments, self._changes = server, segments, changes
        self._models_of, self._precision = models_of, precision
        self._keywords = Keywords(server, segments)

    def search(self, lane: Lane, query: NDArray[np.float32] | str, limit: int, where: SegmentFilter) -> list[Hit]:
        """Hits of one state: found again where something was written meanwhile."""
        for _ in range(_TRIES):
            view = self._changes.view
            hits = self._found(view, lane, query, limit, where)
            if self._changes.follow() is view:
                return best_first(hits)[:limit]
        raise IndexBusy("the index changes faster than it can be searched")

    def _found(
        self, view: View, lane: Lane, query: NDArray[np.float32] | str, limit: int, where: SegmentFilter
    ) -> list[Hit]:
        if lane is not Lane.KEYWORDS:
            return self._nearest(view, lane, query, limit, where)
        if not isinstance(query, str):
            raise QueryError("the keywords lane is searched with words, not with a vector")
        terms = words.query_terms(query)
        return self._with_words(view, terms, limit, where) if terms else []

    def _nearest(
        self, view: View, lane: Lane, query: NDArray[np.float32] | str, limit: int, where: SegmentFilter
    ) -> list[Hit]:
        """The nearest segments, and all that are tied with the last of them (up to 4,096)."""
        space = view.spaces.get(lane)
        if space is None:
            return []
        vectors.require_model(lane, space.model, self._models_of.get(lane, ""))
        point = vectors.checked_query(query, lane, space.dim).tolist()
        count = limit + _SPARE
        found = self._query(view, space, point, count, where)
        while _ends_in_a_tie(found, limit, count) and count < limit + _MOST_TIED:
            count *= 2
            found = self._query(view, space, point, count, where)
        scored = ((round(point.score, _DECIMALS), point.payload) for point in found)
        return list(_hits(view, lane, scored))

    def _query(
        self, view: View, space: Space, point: list[float], count: int, where: SegmentFilter
    ) -> list[models.ScoredPoint]:
        with self._server.asked() as client:
            return client.query_points(
                self._segments,
                query=point,
                using=space.name,
                query_filter=filter_of(where, view.not_to_be_seen(where)),
                search_params=self._search_params(space),
                limit=count,
                with_payload=["asset_id", "segment"],
            ).points

    def _search_params(self, space: Space) -> models.SearchParams | None:
        if self._server.local:  # always exact
            return None
        if space.vectors <= self._precision.exact_up_to:
            return models.SearchParams(exact=True)
        quantization = models.QuantizationSearchParams(rescore=True, oversampling=2.0)
        return models.SearchParams(hnsw_ef=256, quantization=quantization if self._precision.quantized else None)

    def _with_words(self, view: View, terms: tuple[str, ...], limit: int, where: SegmentFilter) -> list[Hit]:
        scores = self._keywords.scores(view, terms, limit, where)
        least = sorted(scores.values(), reverse=True)[:limit][-1:]
        wanted = [key for key, score in scores.items() if score >= least[0]]
        if not wanted:
            return []
        with self._server.asked() as client:
            records = client.retrieve(self._segments, wanted, with_payload=["asset_id", "segment"])
        return list(_hits(view, Lane.KEYWORDS, ((scores[str(record.id)], record.payload) for record in records)))


def _hits(view: View, lane: Lane, scored: Iterable[tuple[float, models.Payload | None]]) -> Iterator[Hit]:
    for score, payload in scored:
        entry = view.entry(str((payload or {})["asset_id"]))
        if entry is not None:  # else the view is behind, and the hits are found again
            yield Hit(entry.tags.asset_id, entry.tags.kind, lane, segment_of(payload or {}), score)


def _ends_in_a_tie(found: list[models.ScoredPoint], limit: int, count: int) -> bool:
    return len(found) >= count and found[limit - 1].score - found[-1].score < _TIED
