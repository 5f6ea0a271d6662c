"""Merge retrieved segments into moments and into evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from indexer.types import AssetKind, Lane, Origin
from services.search.types import Moment, RetrievedSegment


def merge_into_moments(segments: Sequence[RetrievedSegment], gap_s: float) -> list[Moment]:
    """Segments of one video that belong together become one moment; those of one page or picture one result.

    The order of `found` (best first) decides the order of the moments; a moment's text is that of its best passage.
    """
    groups: dict[tuple[str, int | None], list[RetrievedSegment]] = {}
    for one in segments:
        groups.setdefault((one.asset.asset_id, one.segment.page), []).append(one)
    place = {id(one): i for i, one in enumerate(segments)}
    parts = [part for group in groups.values() for part in _split_by_gap(group, gap_s)]
    return [_make_moment(part) for part in sorted(parts, key=lambda part: min(place[id(one)] for one in part))]


def merge_adjacent_pictures(segments: Sequence[RetrievedSegment], gap_s: float) -> list[RetrievedSegment]:
    """Pictures of one video that follow one another become one, over the whole time, in the place and with the picture
    of the best; passages stay as they are."""
    videos: dict[str, list[RetrievedSegment]] = {}
    for one in segments:
        if one.asset.kind is AssetKind.VIDEO and one.segment.origin is Origin.PICTURE:
            videos.setdefault(one.asset.asset_id, []).append(one)
    whole: dict[int, RetrievedSegment | None] = {}
    for group in videos.values():
        for part in _split_by_gap(group, gap_s):
            whole |= dict.fromkeys(map(id, part))
            lead = max(part, key=lambda f: f.rrf_score)
            start_s, end_s = min(f.segment.start_s or 0.0 for f in part), max(f.segment.end_s or 0.0 for f in part)
            whole[id(lead)] = replace(lead, segment=replace(lead.segment, start_s=start_s, end_s=end_s))
    return [kept for f in segments if (kept := whole.get(id(f), f)) is not None]


def _split_by_gap(group: Sequence[RetrievedSegment], gap_s: float) -> list[list[RetrievedSegment]]:
    if group[0].asset.kind is not AssetKind.VIDEO:
        return [list(group)]
    parts: list[list[RetrievedSegment]] = []
    end_s = -np.inf
    for one in sorted(group, key=lambda f: f.segment.start_s or 0.0):
        start_s = one.segment.start_s or 0.0
        if start_s - end_s > gap_s or not parts:
            parts.append([])
        parts[-1].append(one)
        end_s = max(end_s, one.segment.end_s or start_s)
    return parts


def _make_moment(part: Sequence[RetrievedSegment]) -> Moment:
    lead = max(part, key=lambda f: (f.segment.origin is not Origin.PICTURE, f.rrf_score))
    lane_scores: dict[Lane, float] = {}
    for one in part:
        for lane, score in one.lane_scores.items():
            lane_scores[lane] = max(score, lane_scores.get(lane, 0.0))
    starts = [f.segment.start_s for f in part if f.segment.start_s is not None]
    ends = [f.segment.end_s for f in part if f.segment.end_s is not None]
    return Moment(
        asset=lead.asset,
        best_segment=lead.segment,
        start_s=min(starts, default=None),
        end_s=max(ends, default=None),
        score=max(lane_scores.values()),
        lane_scores=lane_scores,
    )
