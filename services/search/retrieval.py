"""Hybrid retrieval: search every lane, cut by calibrated score, fuse by reciprocal rank, look up the assets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from indexer.errors import InvalidInput
from indexer.ports import ImageTextEncoder, SegmentIndex, SentenceEncoder
from indexer.types import Lane, SegmentFilter
from services.catalog.catalog import Catalog
from services.search.calibration import SCORE_AT_CUT, Calibration
from services.search.fusion import FusedSegment, LaneRanking, fuse
from services.search.moments import merge_adjacent_pictures, merge_into_moments
from services.search.types import Moment, Query, RetrievedSegment


@dataclass(frozen=True, slots=True)
class RetrievalSettings:
    """Numbers of retrieval.

    The first three are of `SearchSettings`: hits per lane, weight of each lane in the fusion, gap that ends a moment.
    """

    top_k_per_lane: int
    lane_weights: dict[str, float]
    merge_gap_s: float
    min_score: float = SCORE_AT_CUT
    """Source: decision 0006, whose calibration puts 0.5 at each lane's cut."""
    rrf_k: int = 60
    """Source: Cormack et al. 2009 (see `fuse`), fixed in a pilot study; it limits what one first rank can outweigh."""
    max_query_chars: int = 2000
    """Chosen: far above a question's length; longer texts cost encoding time and exceed the encoders' windows."""


@dataclass(frozen=True, slots=True)
class _LaneQuery:
    """Query of one lane: its embedding, or words for the keywords lane; `text` is None for a picture."""

    lane: Lane
    query: NDArray[np.float32] | str
    text: str | None


class Retrieval:
    """Retrieves segments and merges them into moments or evidence; models load when the first query needs them."""

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
        self, query: Query, filters: SegmentFilter, min_score: float | None = None
    ) -> list[RetrievedSegment]:
        """Return the segments with a calibrated score above `min_score` in at least one lane, best first.

        `min_score` is that of the settings if None. Errors: InvalidInput for an empty or over-long query, or a picture
        without a visual lane.
        """
        self._validate(query)
        min_score = self._settings.min_score if min_score is None else min_score
        rankings = [self._rank(lane_query, filters, min_score) for lane_query in self._lane_queries(query)]
        return self._with_assets(fuse(rankings, self._settings.rrf_k), filters)

    def search(self, query: Query, filters: SegmentFilter, limit: int) -> list[Moment]:
        """Return up to `limit` moments, pages and pictures for a query, best first. Errors: InvalidInput."""
        return merge_into_moments(self.retrieve_segments(query, filters), self._settings.merge_gap_s)[:limit]

    def retrieve_evidence(
        self, query: Query, filters: SegmentFilter, limit: int, min_score: float | None = None
    ) -> list[RetrievedSegment]:
        """Return up to `limit` segments for an answer, best first, adjacent pictures merged. Errors: InvalidInput."""
        segments = self.retrieve_segments(query, filters, min_score)
        return merge_adjacent_pictures(segments, self._settings.merge_gap_s)[:limit]

    def _validate(self, query: Query) -> None:
        if not query.text.strip() and query.picture is None:
            raise InvalidInput("the question is empty")
        if any("\ud800" <= char <= "\udfff" for char in query.text):
            raise InvalidInput("the question is not valid text (UTF-8)")
        if len(query.text) > (limit := self._settings.max_query_chars):
            raise InvalidInput(f"the question has {len(query.text)} characters, over the limit of {limit}")

    def _lane_queries(self, query: Query) -> list[_LaneQuery]:
        """Encode a query for each lane that can search it."""
        queries: list[_LaneQuery] = []
        visual = self._visual()
        if query.picture is not None:
            if visual is None:
                raise InvalidInput(
                    "a picture can only be looked for with the visual lane on (AFTERIMAGE_VISUAL__MODEL)"
                )
            queries.append(_LaneQuery(Lane.VISUAL, visual.encode_images([query.picture])[0], None))
        if query.text.strip():
            if visual is not None:
                queries.append(_LaneQuery(Lane.VISUAL, visual.encode_texts([query.text])[0], query.text))
            if (text := self._text()) is not None:
                queries.append(_LaneQuery(Lane.TEXT, text.encode_queries([query.text])[0], query.text))
            queries.append(_LaneQuery(Lane.KEYWORDS, query.text, query.text))
        return queries

    def _rank(self, lane_query: _LaneQuery, filters: SegmentFilter, min_score: float) -> LaneRanking:
        """Search one lane, calibrate the scores, and cut the hits at `min_score`."""
        lane, settings = lane_query.lane, self._settings
        hits = self._index.search(lane, lane_query.query, settings.top_k_per_lane, filters)
        curve = self._calibration.curve(lane, lane_query.text)
        calibrated = (replace(hit, score=curve.calibrate(hit.score)) for hit in hits)
        above = takewhile(lambda hit: hit.score > min_score, calibrated)
        return LaneRanking(lane, settings.lane_weights.get(lane.value, 1.0), tuple(above))

    def _with_assets(self, fused: Sequence[FusedSegment], filters: SegmentFilter) -> list[RetrievedSegment]:
        """Look up the assets of segments, as named in the filtered collections; deleted assets are left out."""
        collections = None if filters.collections is None else sorted(filters.collections)
        assets = self._catalog.get(sorted({entry.asset_id for entry in fused}), collections)
        return [
            RetrievedSegment(asset, entry.segment, max(entry.lane_scores.values()), entry.lane_scores, entry.rrf_score)
            for entry in fused
            if (asset := assets.get(entry.asset_id)) is not None
        ]
