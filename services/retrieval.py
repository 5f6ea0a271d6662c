"""Search: every lane asked, cut against unrelated queries, fused by reciprocal rank, merged to moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from indexer.errors import QueryError
from indexer.ports import ImageTextEncoder, SegmentIndex, SentenceEncoder
from indexer.types import AssetKind, Hit, Lane, Origin, Segment, SegmentFilter
from services.calibration import Calibration
from services.catalog import Asset, Catalog
from services.types import Found, Moment, Query

CUT = 0.5
"""The calibrated score above which chance does not come."""
_RRF_K = 60
_LONGEST_QUERY = 2000


@dataclass(frozen=True, slots=True)
class RetrievalSettings:
    """`depth` hits are taken from each lane; `weights` are the lanes' in the fusion; hits of a video closer than
    `moment_gap_s` are one moment."""

    depth: int
    weights: dict[str, float]
    moment_gap_s: float


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

    def segments(self, query: Query, where: SegmentFilter, least: float = CUT) -> list[Found]:
        """The segments that at least one lane finds better than `least`, best first. Empty: nothing was found.

        Errors: QueryError for an empty or over-long query, or a picture where no visual lane is on.
        """
        _check(query)
        fused: dict[tuple[str, int], _Fused] = {}
        for lane, hits, words in self._ask_lanes(query, where):
            self._fuse(fused, lane, hits, words, least)
        known = self._catalog.get(sorted({asset_id for asset_id, _ in fused}), _listed(where))
        found = [one.found(known[asset_id]) for (asset_id, _), one in fused.items() if asset_id in known]
        return sorted(found, key=lambda f: (-f.rank, f.asset.asset_id, f.segment.ordinal))

    def search(self, query: Query, where: SegmentFilter, limit: int) -> list[Moment]:
        """The moments, pages and pictures that a query finds, best first, at most `limit`."""
        return merge(self.segments(query, where), self._settings.moment_gap_s)[:limit]

    def evidence(self, query: Query, where: SegmentFilter, limit: int, least: float = CUT) -> list[Found]:
        """What an answer can be made from, best first, at most `limit`; see `joined`."""
        return joined(self.segments(query, where, least), self._settings.moment_gap_s)[:limit]

    def _ask_lanes(self, query: Query, where: SegmentFilter) -> list[tuple[Lane, list[Hit], str | None]]:
        """The hits of each lane, with the words it was asked for (None: a picture)."""
        asked: list[tuple[Lane, NDArray[np.float32] | str, str | None]] = []
        visual = self._visual()
        if query.picture is not None:
            if visual is None:
                raise QueryError("a picture can only be looked for with the visual lane on (AFTERIMAGE_VISUAL__MODEL)")
            asked.append((Lane.VISUAL, visual.encode_images([query.picture])[0], None))
        if query.text.strip():
            if visual is not None:
                asked.append((Lane.VISUAL, visual.encode_texts([query.text])[0], query.text))
            if (text := self._text()) is not None:
                asked.append((Lane.TEXT, text.encode([query.text])[0], query.text))
            asked.append((Lane.KEYWORDS, query.text, query.text))
        depth = self._settings.depth
        return [(lane, self._index.search(lane, q, depth, where), words) for lane, q, words in asked]

    def _fuse(
        self,
        fused: dict[tuple[str, int], _Fused],
        lane: Lane,
        hits: Sequence[Hit],
        query: str | None,
        least: float,
    ) -> None:
        curve = self._calibration.curve(lane, query)
        weight = self._settings.weights.get(lane.value, 1.0)
        for place, hit in enumerate(hits, 1):
            score = curve.calibrated(hit.score)
            if score <= least:
                break
            one = fused.setdefault((hit.asset_id, hit.segment.ordinal), _Fused(hit.segment))
            one.lanes[lane] = max(score, one.lanes.get(lane, 0.0))
            one.rank += weight / (_RRF_K + place)


@dataclass(slots=True)
class _Fused:
    """What the lanes say of one segment, while they are asked."""

    segment: Segment
    lanes: dict[Lane, float] = field(default_factory=dict)
    rank: float = 0.0

    def found(self, asset: Asset) -> Found:
        return Found(asset, self.segment, max(self.lanes.values()), self.lanes, self.rank)


def merge(found: Sequence[Found], gap_s: float) -> list[Moment]:
    """Segments of one video that belong together become one moment; those of one page or picture one result.

    The order of `found` (best first) decides the order of the moments; a moment's text is that of its best passage.
    """
    groups: dict[tuple[str, int | None], list[Found]] = {}
    for one in found:
        groups.setdefault((one.asset.asset_id, one.segment.page), []).append(one)
    place = {id(one): i for i, one in enumerate(found)}
    parts = [part for group in groups.values() for part in _parts(group, gap_s)]
    return [_moment(part) for part in sorted(parts, key=lambda part: min(place[id(one)] for one in part))]


def joined(found: Sequence[Found], gap_s: float) -> list[Found]:
    """Pictures of one video that follow one another become one, over the whole time, in the place and with the picture
    of the best; passages stay as they are."""
    videos: dict[str, list[Found]] = {}
    for one in found:
        if one.asset.kind is AssetKind.VIDEO and one.segment.origin is Origin.PICTURE:
            videos.setdefault(one.asset.asset_id, []).append(one)
    whole: dict[int, Found | None] = {}
    for group in videos.values():
        for part in _parts(group, gap_s):
            whole |= dict.fromkeys(map(id, part))
            lead = max(part, key=lambda f: f.rank)
            start_s, end_s = min(f.segment.start_s or 0.0 for f in part), max(f.segment.end_s or 0.0 for f in part)
            whole[id(lead)] = replace(lead, segment=replace(lead.segment, start_s=start_s, end_s=end_s))
    return [kept for f in found if (kept := whole.get(id(f), f)) is not None]


def _parts(group: Sequence[Found], gap_s: float) -> list[list[Found]]:
    if group[0].asset.kind is not AssetKind.VIDEO:
        return [list(group)]
    parts: list[list[Found]] = []
    end_s = -np.inf
    for one in sorted(group, key=lambda f: f.segment.start_s or 0.0):
        start_s = one.segment.start_s or 0.0
        if start_s - end_s > gap_s or not parts:
            parts.append([])
        parts[-1].append(one)
        end_s = max(end_s, one.segment.end_s or start_s)
    return parts


def _moment(part: Sequence[Found]) -> Moment:
    lead = max(part, key=lambda f: (f.segment.origin is not Origin.PICTURE, f.rank))
    lanes: dict[Lane, float] = {}
    for one in part:
        for lane, score in one.lanes.items():
            lanes[lane] = max(score, lanes.get(lane, 0.0))
    starts = [f.segment.start_s for f in part if f.segment.start_s is not None]
    ends = [f.segment.end_s for f in part if f.segment.end_s is not None]
    return Moment(
        asset=lead.asset,
        best=lead.segment,
        start_s=min(starts, default=None),
        end_s=max(ends, default=None),
        score=max(lanes.values()),
        lanes=lanes,
    )


def _check(query: Query) -> None:
    if not query.text.strip() and query.picture is None:
        raise QueryError("the question is empty")
    if any("\ud800" <= char <= "\udfff" for char in query.text):
        raise QueryError("the question is not valid text (UTF-8)")
    if len(query.text) > _LONGEST_QUERY:
        raise QueryError(f"the question has {len(query.text)} characters, over the limit of {_LONGEST_QUERY}")


def _listed(where: SegmentFilter) -> list[str] | None:
    return None if where.collections is None else sorted(where.collections)
