"""Retrieval that knows the right pages: an ablation, which shows what answering loses by itself."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.real_documents.verdicts import read_page
from indexer.types import Lane, Segment, SegmentFilter
from services.catalog.types import Asset
from services.container import Container
from services.search.retrieval import Retrieval
from services.search.types import Query, RetrievedSegment

_UNFOUND_SCORE = 0.51
"""Chosen: just above the cut at 0.5, so that a segment which search alone would not give counts least."""


class PageRetrieval(Retrieval):
    """Retrieval whose evidence is given: first what search finds of it, in its order, then the rest as on the page."""

    def __init__(self, inner: Retrieval, asset: Asset, segments: Sequence[Segment]) -> None:
        self._inner, self._asset, self._given = inner, asset, tuple(segments)
        self._settings = inner._settings

    def retrieve_segments(
        self, query: Query, filters: SegmentFilter, min_score: float | None = None
    ) -> list[RetrievedSegment]:
        """Return the given segments, whatever is looked for."""
        given = {segment.ordinal: segment for segment in self._given}
        found = [
            result
            for result in self._inner.retrieve_segments(query, filters, 0.0)
            if result.asset.asset_id == self._asset.asset_id and result.segment.ordinal in given
        ]
        seen = {result.segment.ordinal for result in found}
        rest = [segment for ordinal, segment in given.items() if ordinal not in seen]
        scores = {Lane.TEXT: _UNFOUND_SCORE}
        return [*found, *(RetrievedSegment(self._asset, segment, _UNFOUND_SCORE, scores, 0.0) for segment in rest)]

    def retrieve_evidence(
        self, query: Query, filters: SegmentFilter, limit: int, min_score: float | None = None
    ) -> list[RetrievedSegment]:
        """Return the given segments, whatever is looked for."""
        return self.retrieve_segments(query, filters, min_score)[:limit]


def read_page_segments(container: Container, asset: Asset, pages: Sequence[int]) -> list[Segment]:
    """Return the segments of some pages of an asset, as they were indexed; an image is its page 1."""
    manifest = container.artifacts.read_manifest(asset.asset_id, asset.version)
    return [
        segment
        for batch in container.pipeline.read_batches(manifest)
        for segment in batch.segments
        if read_page(asset, segment) in pages
    ]
