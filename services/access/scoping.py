"""What somebody with some rights sees of the archive: what lies outside of them is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from indexer.errors import AssetNotFound
from indexer.types import SegmentFilter
from services.access.permissions import Permissions
from services.catalog.catalog import Catalog
from services.catalog.errors import CollectionNotFound
from services.catalog.types import Asset


def require_asset(catalog: Catalog, permissions: Permissions, asset_id: str) -> Asset:
    """The asset of an id. Errors: AssetNotFound."""
    found = catalog.get([asset_id], allowed_collections(permissions)).get(asset_id)
    if found is None:
        raise AssetNotFound(f"no asset {asset_id!r}")
    return found


def require_collection(catalog: Catalog, permissions: Permissions, name: str) -> str:
    """The name, where there is such a collection. Errors: CollectionNotFound."""
    return _require_collections(catalog, permissions, [name])[0]


def count_assets_by_collection(catalog: Catalog, permissions: Permissions) -> dict[str, int]:
    """The collections, and how many assets each holds."""
    return {name: count for name, count in catalog.collections().items() if permissions.allows(name)}


def collections_holding(catalog: Catalog, permissions: Permissions, asset: Asset) -> list[str]:
    """The collections that hold an asset."""
    return sorted({row.collection for row in catalog.sources(asset.asset_id) if permissions.allows(row.collection)})


def scope_filters(catalog: Catalog, permissions: Permissions, filters: SegmentFilter) -> SegmentFilter:
    """The filter, narrowed to the rights. Errors: CollectionNotFound, AssetNotFound for what it names."""
    if filters.collections is not None:
        _require_collections(catalog, permissions, sorted(filters.collections))
    filters = permissions.scope_filters(filters)
    if filters.collections is not None:  # those of the rights, some of which may not have been made yet
        filters = replace(filters, collections=filters.collections & catalog.collections().keys())
    if filters.assets is not None:
        listed = None if filters.collections is None else sorted(filters.collections)
        missing = filters.assets - catalog.get(sorted(filters.assets), listed).keys()
        if missing:
            raise AssetNotFound(f"no asset {min(missing)!r}")
    return filters


def allowed_collections(permissions: Permissions) -> list[str] | None:
    """The collections of somebody's rights; None: all."""
    return None if permissions.collections is None else sorted(permissions.collections)


def _require_collections(catalog: Catalog, permissions: Permissions, names: Sequence[str]) -> Sequence[str]:
    existing = catalog.collections()
    for name in names:
        if name not in existing or not permissions.allows(name):
            raise CollectionNotFound(f"no collection {name!r}")
    return names
