"""Access scoping: anything outside the caller's collections is reported as not found."""

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
    """Return an asset that the caller may see. Errors: AssetNotFound."""
    asset = catalog.get([asset_id], allowed_collections(permissions)).get(asset_id)
    if asset is None:
        raise AssetNotFound(f"no asset {asset_id!r}")
    return asset


def require_collection(catalog: Catalog, permissions: Permissions, name: str) -> str:
    """Return the name of an existing, allowed collection. Errors: CollectionNotFound."""
    return _require_collections(catalog, permissions, [name])[0]


def count_assets_by_collection(catalog: Catalog, permissions: Permissions) -> dict[str, int]:
    """Return the number of assets of each allowed collection."""
    return {name: count for name, count in catalog.collections().items() if permissions.allows(name)}


def collections_holding(catalog: Catalog, permissions: Permissions, asset: Asset) -> list[str]:
    """Return the allowed collections that hold an asset, sorted."""
    return sorted({row.collection for row in catalog.sources(asset.asset_id) if permissions.allows(row.collection)})


def scope_filters(catalog: Catalog, permissions: Permissions, filters: SegmentFilter) -> SegmentFilter:
    """Return the filters restricted to what the caller may see. Errors: CollectionNotFound, AssetNotFound."""
    if filters.collections is not None:
        _require_collections(catalog, permissions, sorted(filters.collections))
    filters = permissions.scope_filters(filters)
    if filters.collections is not None:  # permissions may name collections that do not exist yet
        filters = replace(filters, collections=filters.collections & catalog.collections().keys())
    if filters.assets is not None:
        listed = None if filters.collections is None else sorted(filters.collections)
        missing = filters.assets - catalog.get(sorted(filters.assets), listed).keys()
        if missing:
            raise AssetNotFound(f"no asset {min(missing)!r}")
    return filters


def allowed_collections(permissions: Permissions) -> list[str] | None:
    """Return the allowed collections, sorted; None means all."""
    return None if permissions.collections is None else sorted(permissions.collections)


def _require_collections(catalog: Catalog, permissions: Permissions, names: Sequence[str]) -> Sequence[str]:
    existing = catalog.collections()
    for name in names:
        if name not in existing or not permissions.allows(name):
            raise CollectionNotFound(f"no collection {name!r}")
    return names
