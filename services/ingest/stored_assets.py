"""Erase and retag what is stored of an asset: index rows, artifacts, the catalog's row."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.errors import AssetNotFound
from indexer.ports import SegmentIndex
from indexer.storage.artifacts import ArtifactStore
from indexer.types import AssetTags
from services.catalog.catalog import Catalog


@dataclass(frozen=True, slots=True)
class StoredAssets:
    """Index, artifacts and catalog as one store. Whoever calls holds the asset's write lock."""

    index: SegmentIndex
    artifacts: ArtifactStore
    catalog: Catalog

    def erase(self, asset_id: str) -> tuple[int, int]:
        """Remove all of an asset; return the number of index rows and of files that went.

        The catalog's row goes last, so that an erasure that is cut off leaves an orphan that recovery finds.
        """
        segments = self.index.remove(asset_id)
        files = self.artifacts.delete(asset_id)
        self.catalog.delete_asset(asset_id)
        return segments, files

    def erase_leftovers(self, asset_id: str) -> None:
        """Remove what an interrupted deletion or run left of an asset that no source points to.

        Unfinished artifacts of an asset that the catalog does not know yet stay: the next run resumes from them.
        """
        if self.catalog.sources(asset_id):
            return
        if asset_id in self.catalog.orphaned_asset_ids():
            self.erase(asset_id)
        else:
            self.index.remove(asset_id)

    def update_tags(self, tags: AssetTags) -> bool:
        """Set the filter tags of an indexed asset; False where the index does not hold it."""
        try:
            self.index.update_tags(tags)
        except AssetNotFound:
            return False
        return True

    def retag_or_erase(self, asset_id: str) -> None:
        """Bring an asset's tags up to date after a source left it, or erase it where no source is left."""
        if self.catalog.sources(asset_id):
            self.update_tags(self.catalog.filter_tags(self.catalog.get([asset_id])[asset_id]))
        else:
            self.erase(asset_id)
