"""Recover from interrupted runs: erase assets without a source, and index rows without an asset."""

from __future__ import annotations

from indexer.errors import WriteLockTimeout
from indexer.ports import SegmentIndex
from services.catalog.catalog import Catalog
from services.ingest.ports import Locks
from services.ingest.stored_assets import StoredAssets


class Recovery:
    """Know whether the archive may hold leftovers of an interrupted run, and erase them.

    Every process starts by assuming so: another one may have been killed. An asset whose lock is held is being changed
    right now and is left alone.
    """

    def __init__(self, locks: Locks, stored: StoredAssets, catalog: Catalog, index: SegmentIndex) -> None:
        self._locks, self._stored, self._catalog, self._index = locks, stored, catalog, index
        self._may_have_leftovers = True

    def request(self) -> None:
        """Have the next `recover` look again: a run failed or was cut off."""
        self._may_have_leftovers = True

    def recover(self) -> None:
        """Erase leftovers where there may be some. Errors: those of index, artifacts and catalog."""
        if not self._may_have_leftovers:
            return
        orphans = set(self._catalog.orphaned_asset_ids())
        known = {asset.asset_id for asset in self._catalog.assets()}
        locked_by_others = False
        for asset_id in sorted(orphans | (self._index.segment_counts().keys() - known)):
            try:
                with self._locks.write_lock(asset_id):
                    self._stored.erase_leftovers(asset_id)
            except WriteLockTimeout:
                locked_by_others = True
        self._may_have_leftovers = locked_by_others
