"""Rebuild the index from artifacts alone, into a shadow index that is promoted when its counts match."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from indexer.errors import ArtifactError
from indexer.pipeline.pipeline import Pipeline
from indexer.ports import ShadowIndex
from indexer.storage.artifacts import ArtifactStore, Manifest
from services.catalog.catalog import Catalog
from services.catalog.types import Asset
from services.ingest.ports import Locks
from services.ingest.types import MEASURING_SCORES


@dataclass(frozen=True, slots=True)
class ReindexReport:
    """The result of a reindex: assets and segments in the new index, assets that were encoded again, stale artifacts
    that were deleted, and assets with damaged artifacts (`name: reason`), which the new index leaves out."""

    assets: int
    segments: int
    reencoded_assets: int
    deleted_artifacts: int
    damaged_assets: tuple[str, ...]


class Reindexing:
    """Rebuilds the index. `on_promote` runs after the swap, with a callback for its progress.

    While there are pending jobs (`has_pending_jobs`), unfinished artifacts that they can resume from are kept.
    """

    def __init__(
        self,
        locks: Locks,
        shadow: ShadowIndex,
        artifacts: ArtifactStore,
        pipeline: Callable[[], Pipeline],
        catalog: Catalog,
        on_promote: Callable[[Callable[[float, float], None]], None],
        has_pending_jobs: Callable[[], bool],
    ) -> None:
        self._locks, self._shadow = locks, shadow
        self._artifacts, self._pipeline, self._catalog, self._on_promote = artifacts, pipeline, catalog, on_promote
        self._has_pending_jobs = has_pending_jobs

    def reindex(self, progress: Callable[[str, float, float], None], timeout_s: float = 0.0) -> ReindexReport:
        """Fill a shadow index from artifacts, compare its counts, and promote it in one step.

        Where the settings name other encoders than the artifacts were made with, key frames and texts are encoded
        again first. `progress("reindex", done, total)` is called after each asset, then that of the scores. Errors:
        WriteLockTimeout, StorageFull, ModelError; ArtifactError where the counts do not match, and the old index stays
        in use.
        """
        with self._locks.write_lock(None, timeout_s) as lock:
            assets = self._catalog.assets()
            entries, damaged = self._fill_shadow(assets, progress)
            lock.raise_if_lost()
            self._shadow.promote()
            for asset, manifest, segments in entries:
                self._catalog.set_version(asset.asset_id, manifest.version, segments)
            reencoded = sum(manifest.version != asset.version for asset, manifest, _ in entries)
            deleted = self._delete_stale_artifacts({asset.asset_id for asset in assets}, entries)
            self._on_promote(partial(progress, MEASURING_SCORES))
        return ReindexReport(len(entries), sum(entry[2] for entry in entries), reencoded, deleted, tuple(damaged))

    def _fill_shadow(
        self, assets: list[Asset], progress: Callable[[str, float, float], None]
    ) -> tuple[list[tuple[Asset, Manifest, int]], list[str]]:
        """Fill the shadow index; a failed try raises before anything is promoted, and the next one replaces it."""
        index, pipeline = self._shadow.create(), self._pipeline()
        entries, damaged = [], []
        for number, asset in enumerate(assets, 1):
            try:
                manifest = pipeline.reencode(self._artifacts.read_manifest(asset.asset_id, asset.version))
                entries.append(
                    (asset, manifest, index.put(self._catalog.filter_tags(asset), pipeline.read_batches(manifest)))
                )
            except ArtifactError as error:
                damaged.append(f"{asset.name}: {error}")
            progress("reindex", number, len(assets))
        expected = {asset.asset_id: segments for asset, _, segments in entries}
        if index.segment_counts() != expected:
            raise ArtifactError("the new index does not hold what was written to it; the old one stays in use")
        return entries, damaged

    def _delete_stale_artifacts(self, known_ids: set[str], entries: list[tuple[Asset, Manifest, int]]) -> int:
        """Delete artifacts that nothing refers to: other versions, and drafts that no pending job will resume."""
        current_versions = {asset.asset_id: manifest.version for asset, manifest, _ in entries}
        resumable_version = self._pipeline().version if self._has_pending_jobs() else None
        deleted = 0
        for asset_id in self._artifacts.list_assets():
            if asset_id not in known_ids:
                if resumable_version is not None and resumable_version in self._artifacts.list_versions(asset_id):
                    continue
                deleted += bool(self._artifacts.delete(asset_id))
                continue
            for version in self._artifacts.list_versions(asset_id):
                if asset_id in current_versions and version != current_versions[asset_id]:
                    deleted += bool(self._artifacts.delete(asset_id, version))
        return deleted
