"""Merging of retrieved segments: into moments for a search, and of adjacent pictures for evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from indexer.types import AssetKind, Lane, Origin, TimeSpan
from services.search.types import Moment, RetrievedSegment


def merge_into_moments(segments: Sequence[RetrievedSegment], gap_s: float) -> list[Moment]:
    """Merge segments of a video that are at most `gap_s` apart into moments, those of a page or image into one.

    What a video says about itself (its title) lasts as long as it does, and is a moment of its own.

    Moments keep the order of their first segments (best first); a moment's best segment is its best passage.
    """
    groups: dict[tuple[str, int | None, bool], list[RetrievedSegment]] = {}
    for result in segments:
        is_about_all = result.asset.kind is AssetKind.VIDEO and result.segment.origin is Origin.METADATA
        key = (result.asset.asset_id, result.segment.page, is_about_all)
        groups.setdefault(key, []).append(result)
    position = {id(result): i for i, result in enumerate(segments)}
    parts = [part for group in groups.values() for part in _split_by_gap(group, gap_s)]
    parts.sort(key=lambda part: min(position[id(result)] for result in part))
    return [_make_moment(part) for part in parts]


def merge_adjacent_pictures(segments: Sequence[RetrievedSegment], gap_s: float) -> list[RetrievedSegment]:
    """Merge pictures of a video that are at most `gap_s` apart into the best of them, over their whole time.

    The others are left out; passages are unchanged.
    """
    videos: dict[str, list[RetrievedSegment]] = {}
    for result in segments:
        if result.asset.kind is AssetKind.VIDEO and result.segment.origin is Origin.PICTURE:
            videos.setdefault(result.asset.asset_id, []).append(result)
    merged: dict[int, RetrievedSegment | None] = {}
    for group in videos.values():
        for part in _split_by_gap(group, gap_s):
            merged |= dict.fromkeys(map(id, part))
            lead = max(part, key=lambda result: result.fused_score)
            start_s = min(result.segment.start_s or 0.0 for result in part)
            end_s = max(result.segment.end_s or 0.0 for result in part)
            merged[id(lead)] = replace(lead, segment=replace(lead.segment, start_s=start_s, end_s=end_s))
    replaced = (merged.get(id(result), result) for result in segments)
    return [result for result in replaced if result is not None]


def leave_out_known(moments: Sequence[Moment], known: Sequence[Moment]) -> list[Moment]:
    """Return the moments that none of `known` shows: no page or image of theirs, no overlapping time of a video."""
    places: dict[tuple[str, int | None], list[Moment]] = {}
    for moment in known:
        places.setdefault(_place_of(moment), []).append(moment)
    return [
        moment for moment in moments if not any(_overlap(moment, other) for other in places.get(_place_of(moment), ()))
    ]


def _place_of(moment: Moment) -> tuple[str, int | None]:
    return moment.asset.asset_id, moment.best_segment.page


def _overlap(first: Moment, second: Moment) -> bool:
    """Return True if two moments of one page, image or video share time, or have none."""
    if first.start_s is None or second.start_s is None:
        return True
    span = TimeSpan(first.start_s, max(first.start_s, first.end_s or first.start_s))
    return span.overlaps(TimeSpan(second.start_s, max(second.start_s, second.end_s or second.start_s)))


def _split_by_gap(group: Sequence[RetrievedSegment], gap_s: float) -> list[list[RetrievedSegment]]:
    """Split segments of a video where nothing was found for more than `gap_s`; others stay one part."""
    if group[0].asset.kind is not AssetKind.VIDEO:
        return [list(group)]
    parts: list[list[RetrievedSegment]] = []
    end_s = -np.inf
    for result in sorted(group, key=lambda result: result.segment.start_s or 0.0):
        start_s = result.segment.start_s or 0.0
        if start_s - end_s > gap_s or not parts:
            parts.append([])
        parts[-1].append(result)
        end_s = max(end_s, result.segment.end_s or start_s)
    return parts


def _make_moment(part: Sequence[RetrievedSegment]) -> Moment:
    lead = max(part, key=lambda result: (result.segment.origin is not Origin.PICTURE, result.fused_score))
    lane_scores: dict[Lane, float] = {}
    for result in part:
        for lane, score in result.lane_scores.items():
            lane_scores[lane] = max(score, lane_scores.get(lane, 0.0))
    starts = [result.segment.start_s for result in part if result.segment.start_s is not None]
    ends = [result.segment.end_s for result in part if result.segment.end_s is not None]
    return Moment(
        asset=lead.asset,
        best_segment=lead.segment,
        start_s=min(starts, default=None),
        end_s=max(ends, default=None),
        score=max(result.score for result in part),
        lane_scores=lane_scores,
    )
