"""Reindex: the derived index made anew from artifacts alone, beside the old one, which serves until the swap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from indexer.artifacts import Artifacts, Manifest
from indexer.errors import ArtifactError
from indexer.pipeline import Pipeline
from indexer.ports import ShadowIndex
from services.catalog import Asset, Catalog
from services.ports import Locks


@dataclass(frozen=True, slots=True)
class Reindexed:
    """What a reindex did: assets and segments in the new index, assets that were encoded again, unfinished or orphaned
    artifacts that were cleared away, and assets whose artifacts are damaged (name: reason), which stay out."""

    assets: int
    segments: int
    encoded_again: int
    cleared: int
    damaged: tuple[str, ...]


class Reindexing:
    """Rebuilds the index, in a shadow of it; `after` runs once that is swapped in. While something is `to_come`,
    somebody waits to go on with what is unfinished."""

    def __init__(
        self,
        locks: Locks,
        shadow: ShadowIndex,
        artifacts: Artifacts,
        pipeline: Callable[[], Pipeline],
        catalog: Catalog,
        after: Callable[[], None],
        to_come: Callable[[], bool],
    ) -> None:
        self._locks, self._shadow = locks, shadow
        self._artifacts, self._pipeline, self._catalog, self._after = artifacts, pipeline, catalog, after
        self._to_come = to_come

    def reindex(self, progress: Callable[[str, float, float], None], patience_s: float = 0.0) -> Reindexed:
        """Fill a shadow index from artifacts, read its counts back, and swap it in, in one step.

        Where the settings name other encoders than the artifacts were made with, key frames and texts are encoded
        again first; search moves over with the swap. `progress("reindex", done, total)` is called after each asset.
        Errors: IndexBusy, StorageFull, ModelError; ArtifactError where the counts do not match (nothing is swapped).
        """
        with self._locks.writing(None, patience_s) as held:
            assets = self._catalog.assets()
            made, damaged = self._fill(assets, progress)
            held.check()
            self._shadow.swap()
            for asset, manifest, segments in made:
                self._catalog.set_version(asset.asset_id, manifest.version, segments)
            again = sum(manifest.version != asset.version for asset, manifest, _ in made)
            cleared = self._clear({asset.asset_id for asset in assets}, made)
            self._after()
        return Reindexed(len(made), sum(segments for *_, segments in made), again, cleared, tuple(damaged))

    def _fill(
        self, assets: list[Asset], progress: Callable[[str, float, float], None]
    ) -> tuple[list[tuple[Asset, Manifest, int]], list[str]]:
        """Raises with nothing swapped; what is left of a failed try goes with the next one."""
        index, pipeline = self._shadow.begin(), self._pipeline()
        made, damaged = [], []
        for number, asset in enumerate(assets, 1):
            try:
                manifest = pipeline.encode_again(self._artifacts.manifest(asset.asset_id, asset.version))
                made.append((asset, manifest, index.put(self._catalog.tags(asset), pipeline.batches(manifest))))
            except ArtifactError as error:
                damaged.append(f"{asset.name}: {error}")
            progress("reindex", number, len(assets))
        expected = {asset.asset_id: segments for asset, _, segments in made}
        if index.counts() != expected:
            raise ArtifactError("the new index does not hold what was written to it; the old one stays in use")
        return made, damaged

    def _clear(self, known: set[str], made: list[tuple[Asset, Manifest, int]]) -> int:
        """Remove artifacts that nothing refers to: other versions of what was made, drafts that nobody will finish."""
        kept = {asset.asset_id: manifest.version for asset, manifest, _ in made}
        resumed = self._pipeline().version if self._to_come() else None
        cleared = 0
        for key in self._artifacts.assets():
            if key not in known:
                if resumed is not None and resumed in self._artifacts.versions(key):
                    continue
                cleared += bool(self._artifacts.delete(key))
                continue
            for version in self._artifacts.versions(key):
                if key in kept and version != kept[key]:
                    cleared += bool(self._artifacts.delete(key, version))
        return cleared
