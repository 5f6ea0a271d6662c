"""The segment index in memory, by brute force: what other indexes are held against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from indexer.errors import ArtifactError, AssetNotFound, QueryError
from indexer.indexes import vectors, words
from indexer.indexes.bm25 import Corpus, keyword_score
from indexer.indexes.passing import asset_passes
from indexer.indexes.ranking import DECIMALS, best_first
from indexer.types import AssetTags, Hit, Lane, Segment, SegmentBatch, SegmentFilter, Vectors


@dataclass(slots=True)
class _Asset:
    """What one asset has: `rows[lane][i]` is the place in `segments` that row i of `vectors[lane]` belongs to."""

    tags: AssetTags
    segments: list[Segment] = field(default_factory=list)
    documents: list[list[str]] = field(default_factory=list)
    rows: dict[Lane, list[NDArray[np.int64]]] = field(default_factory=dict)
    vectors: dict[Lane, list[Vectors]] = field(default_factory=dict)

    def add(self, batch: SegmentBatch) -> None:
        before = len(self.segments)
        self.segments += batch.segments
        self.documents += [words.tokens(segment.text) for segment in batch.segments]
        for lane in batch.vectors:
            self.rows.setdefault(lane, []).append(batch.rows[lane] + before)
            self.vectors.setdefault(lane, []).append(np.array(batch.vectors[lane], dtype=np.float32))

    def width(self, lane: Lane) -> int:
        return next((part.shape[1] for part in self.vectors.get(lane, ()) if len(part)), 0)


class ExactIndex:
    """`SegmentIndex` in memory. Every search looks at everything."""

    def __init__(self) -> None:
        self._assets: dict[str, _Asset] = {}
        self._generation = 0

    def put(self, tags: AssetTags, batches: Iterable[SegmentBatch]) -> int:
        asset = _Asset(tags)
        for batch in batches:
            for lane in batch.vectors:
                vectors.checked_rows(batch, lane, asset.width(lane) or self._width(lane, besides=tags.asset_id))
            asset.add(batch)
        if len({segment.ordinal for segment in asset.segments}) < len(asset.segments):
            raise ArtifactError(f"asset {tags.asset_id} has two segments of one ordinal")
        self._assets[tags.asset_id] = asset
        self._generation += 1
        return len(asset.segments)

    def tag(self, tags: AssetTags) -> None:
        if tags.asset_id not in self._assets:
            raise AssetNotFound(f"the index has no asset {tags.asset_id}")
        self._assets[tags.asset_id].tags = tags
        self._generation += 1

    def remove(self, asset_id: str) -> int:
        asset = self._assets.pop(asset_id, None)
        if asset is None:
            return 0
        self._generation += 1
        return len(asset.segments)

    def search(self, lane: Lane, query: NDArray[np.float32] | str, limit: int, where: SegmentFilter) -> list[Hit]:
        if limit < 1:
            return []
        found = self._with_words(query, where) if lane is Lane.KEYWORDS else self._nearest(lane, query, limit, where)
        scored = list(found)
        least = sorted((score for *_, score in scored), reverse=True)[:limit][-1:]
        hits = (
            Hit(asset.tags.asset_id, asset.tags.kind, lane, asset.segments[place], score)
            for asset, place, score in scored
            if score >= least[0]
        )
        return best_first(hits)[:limit]

    def counts(self) -> dict[str, int]:
        return {asset_id: len(asset.segments) for asset_id, asset in sorted(self._assets.items())}

    def generation(self) -> int:
        return self._generation

    def check(self) -> None:
        """One process, one set of models: there is nothing to differ."""

    def close(self) -> None:
        """Nothing is held."""

    def _width(self, lane: Lane, besides: str = "") -> int:
        widths = (asset.width(lane) for asset_id, asset in self._assets.items() if asset_id != besides)
        return next((width for width in widths if width), 0)

    def _nearest(
        self, lane: Lane, query: NDArray[np.float32] | str, limit: int, where: SegmentFilter
    ) -> Iterator[tuple[_Asset, int, float]]:
        """The best `limit` of every batch, with all that are tied with the last of them."""
        width = self._width(lane)
        if not width:
            return
        point = vectors.checked_query(query, lane, width)
        for asset in self._assets.values():
            if asset_passes(asset.tags, where):
                for rows, part in zip(asset.rows.get(lane, ()), asset.vectors.get(lane, ()), strict=True):
                    allowed = _passing(asset.segments, rows, where)
                    places, scores = rows[allowed], np.round(part[allowed].astype(np.float64) @ point, DECIMALS)
                    best = np.flatnonzero(scores >= np.sort(scores)[-limit:][:1]) if len(scores) else places
                    for place, score in zip(places[best].tolist(), scores[best].tolist(), strict=True):
                        yield asset, place, score

    def _with_words(
        self, query: NDArray[np.float32] | str, where: SegmentFilter
    ) -> Iterator[tuple[_Asset, int, float]]:
        if not isinstance(query, str):
            raise QueryError("the keywords lane is searched with words, not with a vector")
        terms = words.query_terms(query)
        corpus = self._corpus()
        for asset in self._assets.values():
            if terms and asset_passes(asset.tags, where):
                for place, document in enumerate(asset.documents):
                    score = keyword_score(terms, document, corpus) if document else 0.0
                    if score and _segment_passes(asset.segments[place], where):
                        yield asset, place, score

    def _corpus(self) -> Corpus:
        documents = [document for asset in self._assets.values() for document in asset.documents if document]
        frequencies = Counter(term for document in documents for term in set(document))
        return Corpus(len(documents), sum(map(len, documents)), frequencies)


def _passing(segments: list[Segment], rows: NDArray[np.int64], where: SegmentFilter) -> NDArray[np.bool_]:
    if where.start_s is None and where.end_s is None:
        return np.ones(len(rows), dtype=np.bool_)
    return np.array([_segment_passes(segments[row], where) for row in rows.tolist()], dtype=np.bool_)


def _segment_passes(segment: Segment, where: SegmentFilter) -> bool:
    if where.start_s is None and where.end_s is None:
        return True
    if segment.start_s is None or segment.end_s is None:
        return False
    after = where.start_s is None or segment.end_s > where.start_s
    return after and (where.end_s is None or segment.start_s < where.end_s)
