"""Search: every lane asked, cut against unrelated queries, fused by reciprocal rank, merged to moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from indexer.errors import InvalidInput
from indexer.ports import ImageTextEncoder, SegmentIndex, SentenceEncoder
from indexer.types import Hit, Lane, Segment, SegmentFilter
from services.catalog.catalog import Catalog
from services.catalog.types import Asset
from services.search.calibration import Calibration
from services.search.moments import merge_adjacent_pictures, merge_into_moments
from services.search.types import Moment, Query, RetrievedSegment

MIN_SCORE = 0.5
"""The calibrated score above which chance does not come."""
_RRF_K = 60
_MAX_QUERY_CHARS = 2000


@dataclass(frozen=True, slots=True)
class RetrievalSettings:
    """`depth` hits are taken from each lane; `weights` are the lanes' in the fusion; hits of a video closer than
    `moment_gap_s` are one moment."""

    top_k_per_lane: int
    lane_weights: dict[str, float]
    merge_gap_s: float


class Retrieval:
    """Finds segments, and merges them to what a person wants to see. Models load when the first query needs them."""

    def __init__(
        self,
        index: SegmentIndex,
        catalog: Catalog,
        calibration: Calibration,
        visual: Callable[[], ImageTextEncoder | None],
        text: Callable[[], SentenceEncoder | None],
        settings: RetrievalSettings,
    ) -> None:
        self._index, self._catalog, self._calibration = index, catalog, calibration
        self._visual, self._text, self._settings = visual, text, settings

    def retrieve_segments(
        self, query: Query, filters: SegmentFilter, min_score: float = MIN_SCORE
    ) -> list[RetrievedSegment]:
        """The segments that at least one lane finds better than `least`, best first. Empty: nothing was found.

        Errors: QueryError for an empty or over-long query, or a picture where no visual lane is on.
        """
        _validate_query(query)
        fused: dict[tuple[str, int], _FusedSegment] = {}
        for lane, hits, words in self._search_lanes(query, filters):
            self._fuse(fused, lane, hits, words, min_score)
        known = self._catalog.get(sorted({asset_id for asset_id, _ in fused}), _collection_names(filters))
        found = [one.to_retrieved(known[asset_id]) for (asset_id, _), one in fused.items() if asset_id in known]
        return sorted(found, key=lambda f: (-f.rrf_score, f.asset.asset_id, f.segment.ordinal))

    def search(self, query: Query, filters: SegmentFilter, limit: int) -> list[Moment]:
        """The moments, pages and pictures that a query finds, best first, at most `limit`."""
        return merge_into_moments(self.retrieve_segments(query, filters), self._settings.merge_gap_s)[:limit]

    def retrieve_evidence(
        self, query: Query, filters: SegmentFilter, limit: int, min_score: float = MIN_SCORE
    ) -> list[RetrievedSegment]:
        """What an answer can be made from, best first, at most `limit`; see `joined`."""
        return merge_adjacent_pictures(self.retrieve_segments(query, filters, min_score), self._settings.merge_gap_s)[
            :limit
        ]

    def _search_lanes(self, query: Query, filters: SegmentFilter) -> list[tuple[Lane, list[Hit], str | None]]:
        """The hits of each lane, with the words it was asked for (None: a picture)."""
        lane_queries: list[tuple[Lane, NDArray[np.float32] | str, str | None]] = []
        visual = self._visual()
        if query.picture is not None:
            if visual is None:
                raise InvalidInput(
                    "a picture can only be looked for with the visual lane on (AFTERIMAGE_VISUAL__MODEL)"
                )
            lane_queries.append((Lane.VISUAL, visual.encode_images([query.picture])[0], None))
        if query.text.strip():
            if visual is not None:
                lane_queries.append((Lane.VISUAL, visual.encode_texts([query.text])[0], query.text))
            if (text := self._text()) is not None:
                lane_queries.append((Lane.TEXT, text.encode([query.text])[0], query.text))
            lane_queries.append((Lane.KEYWORDS, query.text, query.text))
        depth = self._settings.top_k_per_lane
        return [(lane, self._index.search(lane, q, depth, filters), words) for lane, q, words in lane_queries]

    def _fuse(
        self,
        fused: dict[tuple[str, int], _FusedSegment],
        lane: Lane,
        hits: Sequence[Hit],
        query: str | None,
        min_score: float,
    ) -> None:
        curve = self._calibration.curve(lane, query)
        weight = self._settings.lane_weights.get(lane.value, 1.0)
        for rank, hit in enumerate(hits, 1):
            score = curve.calibrate(hit.score)
            if score <= min_score:
                break
            entry = fused.setdefault((hit.asset_id, hit.segment.ordinal), _FusedSegment(hit.segment))
            entry.lane_scores[lane] = max(score, entry.lane_scores.get(lane, 0.0))
            entry.rrf_score += weight / (_RRF_K + rank)


@dataclass(slots=True)
class _FusedSegment:
    """What the lanes say of one segment, while they are asked."""

    segment: Segment
    lane_scores: dict[Lane, float] = field(default_factory=dict)
    rrf_score: float = 0.0

    def to_retrieved(self, asset: Asset) -> RetrievedSegment:
        return RetrievedSegment(asset, self.segment, max(self.lane_scores.values()), self.lane_scores, self.rrf_score)


def _validate_query(query: Query) -> None:
    if not query.text.strip() and query.picture is None:
        raise InvalidInput("the question is empty")
    if any("\ud800" <= char <= "\udfff" for char in query.text):
        raise InvalidInput("the question is not valid text (UTF-8)")
    if len(query.text) > _MAX_QUERY_CHARS:
        raise InvalidInput(f"the question has {len(query.text)} characters, over the limit of {_MAX_QUERY_CHARS}")


def _collection_names(filters: SegmentFilter) -> list[str] | None:
    return None if filters.collections is None else sorted(filters.collections)
