"""Combine retrieved segments into numbered evidence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from indexer.types import AssetKind
from services.generators.types import Evidence
from services.search.types import RetrievedSegment

_ID_PREFIX = {AssetKind.VIDEO: "F", AssetKind.DOCUMENT: "P", AssetKind.IMAGE: "I"}
_DUPLICATE_MIN_OVERLAP = 0.6
"""Chosen: two pictures whose spans share this much of their union show a model the same thing twice."""


def number_evidence(segments: Sequence[RetrievedSegment]) -> list[Evidence]:
    """Give segments the ids that answers cite: `F1`, `F2` for videos, `P1` for pages, `I1` for images, in order."""
    counts = dict.fromkeys(AssetKind, 0)
    evidence = []
    for segment in segments:
        kind = segment.asset.kind
        counts[kind] += 1
        evidence.append(Evidence(f"{_ID_PREFIX[kind]}{counts[kind]}", segment))
    return evidence


def interleave_unique(*rankings: Sequence[RetrievedSegment]) -> list[RetrievedSegment]:
    """Merge rankings round-robin, best first, without duplicates."""
    result: list[RetrievedSegment] = []
    for row in zip_longest(*rankings):
        for candidate in row:
            if candidate is not None and not any(_is_duplicate(candidate, earlier) for earlier in result):
                result.append(candidate)
    return result


def add_texts(pictures: Sequence[RetrievedSegment], texts: Sequence[RetrievedSegment]) -> list[RetrievedSegment]:
    """Return pictures and texts: the texts before the pictures that search ranks below the best of them."""
    best = max((text.fused_score for text in texts), default=0.0)
    before = [picture for picture in pictures if picture.fused_score > best]
    after = [picture for picture in pictures if picture.fused_score <= best]
    return [*before, *texts, *after]


def _is_duplicate(first: RetrievedSegment, second: RetrievedSegment) -> bool:
    """Tell whether two results are of one picture, or pictures of nearly the same span of a video."""
    a, b = first.segment, second.segment
    if first.asset.asset_id != second.asset.asset_id or a.text != b.text:
        return False
    if a.start_s is None or b.start_s is None or a.end_s is None or b.end_s is None:
        return a.picture == b.picture
    shared_s = min(a.end_s, b.end_s) - max(a.start_s, b.start_s)
    union_s = max(a.end_s, b.end_s) - min(a.start_s, b.start_s)
    return shared_s >= _DUPLICATE_MIN_OVERLAP * union_s or a.picture == b.picture
