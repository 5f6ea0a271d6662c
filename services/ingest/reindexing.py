"""Reindex: the derived index made anew from artifacts alone, beside the old one, which serves until the swap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from indexer.errors import ArtifactError
from indexer.pipeline.pipeline import Pipeline
from indexer.ports import ShadowIndex
from indexer.storage.artifacts import ArtifactStore, Manifest
from services.catalog.catalog import Catalog
from services.catalog.types import Asset
from services.ingest.ports import Locks


@dataclass(frozen=True, slots=True)
class ReindexReport:
    """What a reindex did: assets and segments in the new index, assets that were encoded again, unfinished or orphaned
    artifacts that were cleared away, and assets whose artifacts are damaged (name: reason), which stay out."""

    assets: int
    segments: int
    reencoded_assets: int
    deleted_artifacts: int
    damaged_assets: tuple[str, ...]


class Reindexing:
    """Rebuilds the index, in a shadow of it; `after` runs once that is swapped in. While something is `to_come`,
    somebody waits to go on with what is unfinished."""

    def __init__(
        self,
        locks: Locks,
        shadow: ShadowIndex,
        artifacts: ArtifactStore,
        pipeline: Callable[[], Pipeline],
        catalog: Catalog,
        on_promote: Callable[[], None],
        has_pending_jobs: Callable[[], bool],
    ) -> None:
        self._locks, self._shadow = locks, shadow
        self._artifacts, self._pipeline, self._catalog, self._on_promote = artifacts, pipeline, catalog, on_promote
        self._has_pending_jobs = has_pending_jobs

    def reindex(self, progress: Callable[[str, float, float], None], timeout_s: float = 0.0) -> ReindexReport:
        """Fill a shadow index from artifacts, read its counts back, and swap it in, in one step.

        Where the settings name other encoders than the artifacts were made with, key frames and texts are encoded
        again first; search moves over with the swap. `progress("reindex", done, total)` is called after each asset.
        Errors: IndexBusy, StorageFull, ModelError; ArtifactError where the counts do not match (nothing is swapped).
        """
        with self._locks.write_lock(None, timeout_s) as lock:
            assets = self._catalog.assets()
            entries, damaged = self._fill_shadow(assets, progress)
            lock.raise_if_lost()
            self._shadow.promote()
            for asset, manifest, segments in entries:
                self._catalog.set_version(asset.asset_id, manifest.version, segments)
            again = sum(manifest.version != asset.version for asset, manifest, _ in entries)
            cleared = self._delete_stale_artifacts({asset.asset_id for asset in assets}, entries)
            self._on_promote()
        return ReindexReport(len(entries), sum(segments for *_, segments in entries), again, cleared, tuple(damaged))

    def _fill_shadow(
        self, assets: list[Asset], progress: Callable[[str, float, float], None]
    ) -> tuple[list[tuple[Asset, Manifest, int]], list[str]]:
        """Raises with nothing swapped; what is left of a failed try goes with the next one."""
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
        """Remove artifacts that nothing refers to: other versions of what was made, drafts that nobody will finish."""
        current_versions = {asset.asset_id: manifest.version for asset, manifest, _ in entries}
        resumable_version = self._pipeline().version if self._has_pending_jobs() else None
        cleared = 0
        for key in self._artifacts.list_assets():
            if key not in known_ids:
                if resumable_version is not None and resumable_version in self._artifacts.list_versions(key):
                    continue
                cleared += bool(self._artifacts.delete(key))
                continue
            for version in self._artifacts.list_versions(key):
                if key in current_versions and version != current_versions[key]:
                    cleared += bool(self._artifacts.delete(key, version))
        return cleared
