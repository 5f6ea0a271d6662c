"""Exact segment index in memory, by brute force: the reference for the other index adapters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from indexer.errors import ArtifactError, AssetNotFound, InvalidInput
from indexer.indexes import vector_rows
from indexer.indexes.bm25 import CorpusStatistics, score_keywords
from indexer.indexes.filters import asset_passes
from indexer.indexes.ranking import SCORE_DECIMALS, sort_best_first
from indexer.text import tokenizer
from indexer.text.passage import text_with_context
from indexer.types import AssetTags, Hit, Lane, Segment, SegmentBatch, SegmentFilter, Vectors


@dataclass(slots=True)
class _IndexedAsset:
    """Asset in memory: row i of `vectors[lane]` belongs to segment `rows[lane][i]`, an index into `segments`."""

    tags: AssetTags
    segments: list[Segment] = field(default_factory=list)
    documents: list[list[str]] = field(default_factory=list)
    rows: dict[Lane, list[NDArray[np.int64]]] = field(default_factory=dict)
    vectors: dict[Lane, list[Vectors]] = field(default_factory=dict)

    def add(self, batch: SegmentBatch) -> None:
        before = len(self.segments)
        self.segments += batch.segments
        self.documents += [tokenizer.tokenize_document(text_with_context(segment)) for segment in batch.segments]
        for lane in batch.vectors:
            self.rows.setdefault(lane, []).append(batch.rows[lane] + before)
            self.vectors.setdefault(lane, []).append(np.array(batch.vectors[lane], dtype=np.float32))

    def width(self, lane: Lane) -> int:
        return next((part.shape[1] for part in self.vectors.get(lane, ()) if len(part)), 0)


class ExactIndex:
    """`SegmentIndex` in memory; every search scans all segments."""

    def __init__(self) -> None:
        self._assets: dict[str, _IndexedAsset] = {}
        self._generation = 0

    def put(self, tags: AssetTags, batches: Iterable[SegmentBatch]) -> int:
        """Replace all segments of an asset; return their number. Errors: IndexMismatch, ArtifactError."""
        asset = _IndexedAsset(tags)
        for batch in batches:
            for lane in batch.vectors:
                vector_rows.validate_rows(
                    batch, lane, asset.width(lane) or self._width(lane, except_asset=tags.asset_id)
                )
            asset.add(batch)
        if len({segment.ordinal for segment in asset.segments}) < len(asset.segments):
            raise ArtifactError(f"asset {tags.asset_id} has two segments of one ordinal")
        self._assets[tags.asset_id] = asset
        self._generation += 1
        return len(asset.segments)

    def update_tags(self, tags: AssetTags) -> None:
        """Replace the filterable properties of an asset. Errors: AssetNotFound."""
        if tags.asset_id not in self._assets:
            raise AssetNotFound(f"the index has no asset {tags.asset_id}")
        self._assets[tags.asset_id].tags = tags
        self._generation += 1

    def remove(self, asset_id: str) -> int:
        """Remove an asset; return its number of segments, 0 for an unknown asset."""
        asset = self._assets.pop(asset_id, None)
        if asset is None:
            return 0
        self._generation += 1
        return len(asset.segments)

    def search(self, lane: Lane, query: NDArray[np.float32] | str, limit: int, filters: SegmentFilter) -> list[Hit]:
        """Return at most `limit` hits, best first. Errors: InvalidInput, IndexMismatch."""
        if limit < 1:
            return []
        candidates = (
            self._search_keywords(query, filters)
            if lane is Lane.KEYWORDS
            else self._search_vectors(lane, query, limit, filters)
        )
        scored = list(candidates)
        min_score = sorted((score for *_, score in scored), reverse=True)[:limit][-1:]
        hits = (
            Hit(asset.tags.asset_id, asset.tags.kind, lane, asset.segments[place], score)
            for asset, place, score in scored
            if score >= min_score[0]
        )
        return sort_best_first(hits)[:limit]

    def segment_counts(self) -> dict[str, int]:
        """Return the number of segments of every asset."""
        return {asset_id: len(asset.segments) for asset_id, asset in sorted(self._assets.items())}

    def generation(self) -> int:
        """Return the number of the index state; every change increases it."""
        return self._generation

    def verify_models(self) -> None:
        """Do nothing: model ids are not stored, since index and models live in one process."""

    def close(self) -> None:
        """Do nothing: there are no files to release."""

    def _width(self, lane: Lane, except_asset: str = "") -> int:
        widths = (asset.width(lane) for asset_id, asset in self._assets.items() if asset_id != except_asset)
        return next((width for width in widths if width), 0)

    def _search_vectors(
        self, lane: Lane, query: NDArray[np.float32] | str, limit: int, filters: SegmentFilter
    ) -> Iterator[tuple[_IndexedAsset, int, float]]:
        """Yield the best `limit` vectors of every batch, and all that are tied with the last of them."""
        width = self._width(lane)
        if not width:
            return
        point = vector_rows.validate_query(query, lane, width)
        for asset in self._assets.values():
            if asset_passes(asset.tags, filters):
                for rows, part in zip(asset.rows.get(lane, ()), asset.vectors.get(lane, ()), strict=True):
                    allowed = _passing_mask(asset.segments, rows, filters)
                    places, scores = rows[allowed], np.round(part[allowed].astype(np.float64) @ point, SCORE_DECIMALS)
                    best = np.flatnonzero(scores >= np.sort(scores)[-limit:][:1]) if len(scores) else places
                    for place, score in zip(places[best].tolist(), scores[best].tolist(), strict=True):
                        yield asset, place, score

    def _search_keywords(
        self, query: NDArray[np.float32] | str, filters: SegmentFilter
    ) -> Iterator[tuple[_IndexedAsset, int, float]]:
        if not isinstance(query, str):
            raise InvalidInput("the keywords lane is searched with words, not with a vector")
        terms = tokenizer.tokenize_query(query)
        corpus = self._corpus()
        for asset in self._assets.values():
            if terms and asset_passes(asset.tags, filters):
                for place, document in enumerate(asset.documents):
                    score = score_keywords(terms, document, corpus) if document else 0.0
                    if score and _segment_passes(asset.segments[place], filters):
                        yield asset, place, score

    def _corpus(self) -> CorpusStatistics:
        documents = [document for asset in self._assets.values() for document in asset.documents if document]
        frequencies = Counter(term for document in documents for term in set(document))
        return CorpusStatistics(len(documents), sum(map(len, documents)), frequencies)


def _passing_mask(segments: list[Segment], rows: NDArray[np.int64], filters: SegmentFilter) -> NDArray[np.bool_]:
    if filters.start_s is None and filters.end_s is None:
        return np.ones(len(rows), dtype=np.bool_)
    return np.array([_segment_passes(segments[row], filters) for row in rows.tolist()], dtype=np.bool_)


def _segment_passes(segment: Segment, filters: SegmentFilter) -> bool:
    if filters.start_s is None and filters.end_s is None:
        return True
    if segment.start_s is None or segment.end_s is None:
        return False
    after = filters.start_s is None or segment.end_s > filters.start_s
    return after and (filters.end_s is None or segment.start_s < filters.end_s)
