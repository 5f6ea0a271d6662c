"""Hybrid retrieval: search every lane, fuse by calibrated score, cut what is too unsure, look up the assets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.errors import InvalidInput
from indexer.ports import ImageTextEncoder, SegmentIndex, SentenceEncoder
from indexer.text.identifiers import find_identifiers
from indexer.text.passage import text_with_context
from indexer.types import Lane, Origin, SegmentFilter
from services.catalog.catalog import Catalog
from services.search.calibration import Calibration
from services.search.curves import SCORE_AT_CUT, sigmoid
from services.search.fusion import FusedSegment, FusionSettings, LaneRanking, fuse, rank_hits, tells_of_texts
from services.search.moments import leave_out_known, merge_adjacent_pictures, merge_into_moments
from services.search.types import Moment, Query, RetrievedSegment


@dataclass(frozen=True, slots=True)
class RetrievalSettings:
    """Numbers of retrieval: those of the fusion, and the gap in seconds that ends a moment, are of `SearchSettings`."""

    fusion: FusionSettings
    merge_gap_s: float
    min_score: float = SCORE_AT_CUT
    """Source: decision 0006, whose calibration puts 0.5 at each lane's cut."""
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
        """Return the segments with a calibrated score above `min_score`, best first.

        `min_score` is that of the settings if None. Errors: InvalidInput for an empty or over-long query, or a picture
        without a visual lane.
        """
        self._validate(query)
        min_score = self._settings.min_score if min_score is None else min_score
        rankings = [self._rank(lane_query, filters) for lane_query in self._lane_queries(query)]
        # A vector lane without a hit has no vectors of what the filters let pass: it says nothing of any text.
        telling = [ranking for ranking in rankings if ranking.hits or ranking.lane is Lane.KEYWORDS]
        text_curve = self._calibration.fused_curve(query.text) if tells_of_texts(telling) else None
        return self._with_assets(fuse(telling, query.text, text_curve), query.text, filters, min_score)

    def search(self, query: Query, filters: SegmentFilter, limit: int, *, weaker: bool = False) -> list[Moment]:
        """Return up to `limit` moments, pages and pictures for a query, best first. Errors: InvalidInput.

        With `weaker`, those that are below the cut follow (their score is at most 0.5).
        """
        gap_s, min_score = self._settings.merge_gap_s, self._settings.min_score
        if not weaker:
            return merge_into_moments(self.retrieve_segments(query, filters), gap_s)[:limit]
        found = self.retrieve_segments(query, filters, 0.0)
        strong = [result for result in found if result.score > min_score]
        weak = [result for result in found if result.score <= min_score]
        moments = merge_into_moments(strong, gap_s)
        return [*moments, *leave_out_known(merge_into_moments(weak, gap_s), moments)][:limit]

    def retrieve_passages(self, text: str, filters: SegmentFilter, limit: int) -> list[RetrievedSegment]:
        """Return the best `limit` texts for a question, best first, however unsure search is. Errors: InvalidInput."""
        return self.retrieve_for_reading(text, filters, limit)[0]

    def retrieve_for_reading(
        self, text: str, filters: SegmentFilter, limit: int
    ) -> tuple[list[RetrievedSegment], list[RetrievedSegment]]:
        """Return the best `limit` texts, however unsure search is, and the pictures of which it is sure, best first.

        Adjacent pictures are merged. Errors: InvalidInput.
        """
        found = self.retrieve_segments(Query(text), filters, 0.0)
        texts = [result for result in found if result.segment.origin is not Origin.PICTURE]
        pictures = [result for result in found if result.segment.origin is Origin.PICTURE]
        sure = [picture for picture in pictures if picture.score > self._settings.min_score]
        return texts[:limit], merge_adjacent_pictures(sure, self._settings.merge_gap_s)

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

    def _rank(self, lane_query: _LaneQuery, filters: SegmentFilter) -> LaneRanking:
        """Search one lane, and give its hits the logits of their scores."""
        fusion = self._settings.fusion
        hits = self._index.search(lane_query.lane, lane_query.query, fusion.top_k_per_lane, filters)
        return rank_hits(lane_query.lane, hits, self._calibration.curve(lane_query.lane, lane_query.text), fusion)

    def _with_assets(
        self, fused: Sequence[FusedSegment], query: str, filters: SegmentFilter, min_score: float
    ) -> list[RetrievedSegment]:
        """Return the segments above `min_score` with their assets, as named in the filtered collections.

        Deleted assets are left out.
        """
        identifiers, cut = find_identifiers(query), self._settings.min_score
        scores = [_score(entry, identifiers, cut) for entry in fused]
        scored = [(entry, score) for entry, score in zip(fused, scores, strict=True) if score > min_score]
        collections = None if filters.collections is None else sorted(filters.collections)
        assets = self._catalog.get(sorted({entry.asset_id for entry, _ in scored}), collections)
        return [
            RetrievedSegment(asset, entry.segment, score, _lane_scores(entry, cut), entry.fused_score)
            for entry, score in scored
            if (asset := assets.get(entry.asset_id)) is not None
        ]


def _score(entry: FusedSegment, identifiers: frozenset[str], cut: float) -> float:
    """Return the calibrated score of a segment: that of its best lane for a picture, that of all lanes for a text.

    A text with an identifier of the query is above the cut, however little of the rest it has.
    """
    if entry.segment.origin is Origin.PICTURE:
        return sigmoid(max(entry.lane_logits.values()))
    score = sigmoid(entry.fused_score)
    if score <= cut and identifiers and identifiers & find_identifiers(text_with_context(entry.segment)):
        return math.nextafter(cut, 1.0)
    return score


def _lane_scores(entry: FusedSegment, cut: float) -> dict[Lane, float]:
    """Return the calibrated scores of the lanes that are above the cut by themselves; else that of the best."""
    scores = {lane: sigmoid(logit) for lane, logit in entry.lane_logits.items()}
    above = {lane: score for lane, score in scores.items() if score > cut}
    best = max(scores, key=scores.__getitem__)
    return above or {best: scores[best]}
