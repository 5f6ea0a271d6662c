"""Delete assets and collections, from one collection or from everywhere."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from indexer.errors import AssetNotFound
from services.catalog.catalog import Catalog
from services.catalog.types import Source
from services.ingest.ports import Locks
from services.ingest.stored_assets import StoredAssets
from services.ingest.types import DeletionReport
from services.search.calibration import Calibration


class Deletion:
    """Remove memberships and, with the last one, an asset's data.

    `on_source_removed` is called for every source that is about to leave the catalog (stored uploads go with it).
    """

    def __init__(
        self,
        locks: Locks,
        stored: StoredAssets,
        catalog: Catalog,
        calibration: Calibration,
        on_source_removed: Callable[[Source], None],
    ) -> None:
        self._locks, self._stored, self._catalog = locks, stored, catalog
        self._calibration, self._on_source_removed = calibration, on_source_removed

    def delete_asset(self, name: str, collection: str | None, timeout_s: float = 0.0) -> DeletionReport:
        """Remove the asset of a name (as for `Catalog.find`) from one collection, or from all (None).

        Errors: AssetNotFound, CollectionNotFound, WriteLockTimeout.
        """
        report = self.remove_asset(self._catalog.find(name).asset_id, collection, timeout_s)
        self._calibration.refresh_if_stale()
        return report

    def remove_asset(self, asset_id: str, collection: str | None, timeout_s: float) -> DeletionReport:
        """Remove an asset by its id; the calibration is not refreshed.

        Errors: AssetNotFound, CollectionNotFound, WriteLockTimeout.
        """
        with self._locks.write_lock(asset_id, timeout_s):
            asset = self._catalog.get([asset_id]).get(asset_id)
            if asset is None:
                raise AssetNotFound(f"no asset {asset_id!r}")
            sources = self._catalog.sources(asset_id)
            holders = {source.collection for source in sources}
            remaining = holders - ({collection} if collection is not None else holders)
            asset = self._catalog.get([asset_id], holders - remaining).get(asset_id, asset)
            for source in sources:
                if source.collection not in remaining:
                    self._on_source_removed(source)
            self._catalog.remove_from_collection(asset_id, collection)
            segments, files = (0, 0) if remaining else self._stored.erase(asset_id)
            if remaining:
                self._stored.update_tags(self._catalog.filter_tags(asset))
        return DeletionReport(asset, tuple(sorted(holders - remaining)), segments, files)

    def complete_deletion(self, asset_id: str, timeout_s: float = 0.0) -> None:
        """Finish a deletion that was interrupted; an asset that a source points to stays. Errors: WriteLockTimeout."""
        with self._locks.write_lock(asset_id, timeout_s):
            self._stored.erase_leftovers(asset_id)

    def delete_collection(self, name: str, timeout_s: float = 0.0) -> list[DeletionReport]:
        """Remove a collection with its memberships; assets that other collections hold stay there.

        Errors: CollectionNotFound, WriteLockTimeout; CollectionInUse where it was filled again meanwhile.
        """
        reports = []
        for asset in self._catalog.assets([name]):
            with suppress(AssetNotFound):
                reports.append(self.remove_asset(asset.asset_id, name, timeout_s))
        self._calibration.refresh_if_stale()
        self._catalog.delete_collection(name)
        return reports
