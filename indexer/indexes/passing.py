"""Whether an asset passes a filter, by its tags alone."""

from __future__ import annotations

from indexer.types import AssetTags, SegmentFilter


def asset_passes(tags: AssetTags, where: SegmentFilter) -> bool:
    """Whether segments of this asset may be found; spans are the segments' own business."""
    return (
        (where.collections is None or bool(where.collections & tags.collections))
        and (where.kinds is None or tags.kind in where.kinds)
        and (where.assets is None or tags.asset_id in where.assets)
        and (where.file_after is None or (tags.file_time is not None and tags.file_time >= where.file_after))
        and (where.file_before is None or (tags.file_time is not None and tags.file_time < where.file_before))
    )
