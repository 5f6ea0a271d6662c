"""Search filters on the level of assets, by their tags."""

from __future__ import annotations

from indexer.types import AssetTags, SegmentFilter


def asset_passes(tags: AssetTags, filters: SegmentFilter) -> bool:
    """Return True if an asset's tags pass a filter; the time span of its segments is not checked."""
    return (
        (filters.collections is None or bool(filters.collections & tags.collections))
        and (filters.kinds is None or tags.kind in filters.kinds)
        and (filters.assets is None or tags.asset_id in filters.assets)
        and (filters.file_after is None or (tags.file_time is not None and tags.file_time >= filters.file_after))
        and (filters.file_before is None or (tags.file_time is not None and tags.file_time < filters.file_before))
    )
