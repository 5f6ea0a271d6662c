"""Index and delete: what changes the archive. One writer of an asset at a time; readers always see a whole state."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TypeAlias

from indexer.errors import (
    AfterimageError,
    ArtifactError,
    AssetNotFound,
    SourceError,
    SourceNotFound,
    UnsupportedMedia,
    WriteLockTimeout,
)
from indexer.media.sandbox.client import SandboxedDecoder
from indexer.pipeline.pipeline import IndexSource, Pipeline, PipelineProgress, compute_asset_id
from indexer.ports import SegmentIndex
from indexer.storage.artifacts import ArtifactStore, Manifest
from indexer.types import AssetTags
from services.catalog.catalog import Catalog
from services.catalog.types import Asset, Source, validate_collection_name
from services.database.clock import now
from services.database.errors import DatabaseUnavailable
from services.ingest.file_discovery import DiscoveredFile, discover
from services.ingest.ports import Locks
from services.search.calibration import Calibration

FileProgressCallback: TypeAlias = Callable[[str, float, float | None], None]
"""Called with a file's name, what is done of it and how much there is (seconds of video or pages; None: not known)."""


_log = logging.getLogger(__name__)
_NEXT_FILE_TIMEOUT_S = 3600.0
"""How long a run that has begun waits for its turn at the next file."""
_CALIBRATION_INTERVAL_S = 60.0
"""Between two measurements of what scores are worth, while the archive is filled."""
_REPLACED_ASSET_TIMEOUT_S = 30.0
"""How long an asset that was replaced is waited for."""
_CHANGED_WARNING = "was written to while it was indexed: index it again when it is complete"


class Outcome(StrEnum):
    """What became of one file."""

    INDEXED = "indexed"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file's line in the report of an indexing run. `reason` is why it failed, or its warnings."""

    name: str
    outcome: Outcome
    asset: Asset | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DeletionReport:
    """What a deletion removed."""

    asset: Asset
    collections: tuple[str, ...]
    segments: int
    files: int


class Indexing:
    """The one place that writes artifacts, index and catalog.

    Order makes it safe: artifacts, then the index, then the catalog, which is what makes an asset visible; a search
    shows nothing that the catalog does not hold. What a crash left between two of them, the next process puts right.
    An asset is changed by whoever holds its lock, one at a time: nobody holds two. `dropped` is called for every source
    that is about to leave the catalog.
    """

    def __init__(
        self,
        locks: Locks,
        media: SandboxedDecoder,
        artifacts: ArtifactStore,
        pipeline: Callable[[], Pipeline],
        index: SegmentIndex,
        catalog: Catalog,
        calibration: Calibration,
        on_source_removed: Callable[[Source], None],
    ) -> None:
        self._locks, self._media, self._artifacts, self._pipeline = locks, media, artifacts, pipeline
        self._index, self._catalog, self._calibration, self._on_source_removed = (
            index,
            catalog,
            calibration,
            on_source_removed,
        )
        self._is_consistent = False
        self._indexed_asset_ids: Set[str] | None = None

    def index_paths(
        self,
        paths: Sequence[Path],
        collection: str,
        progress: FileProgressCallback | None = None,
        timeout_s: float = 0.0,
    ) -> Iterator[FileReport]:
        """Index what the paths stand for, into a collection; yields a line for every file, failures included.

        `progress` is called after every checkpoint. `patience_s` is how long to wait where another one is writing.
        Errors: IndexBusy, IndexMismatch, ModelError, DatabaseUnavailable, QueryError for a collection's name.
        """
        with self._ensure_consistent(collection):
            for path in paths:
                for candidate in discover(path):
                    yield self._report_file(candidate, collection, progress, timeout_s)
                    timeout_s = max(timeout_s, _NEXT_FILE_TIMEOUT_S)
        self.refresh_calibration()

    def index_files(
        self,
        files: Iterable[DiscoveredFile | SourceError],
        collection: str,
        progress: FileProgressCallback | None,
        timeout_s: float,
    ) -> Iterator[FileReport]:
        """Index what was found, into a collection; what is wrong with a file is its line, all else is raised.

        So whoever comes again later may have better luck. What scores are worth is not measured: see `settle`.
        Errors: those of `index`, StorageFull and ArtifactError, after which what was finished is kept.
        """
        with self._ensure_consistent(collection):
            for candidate in files:
                yield self._index_or_report(candidate, collection, progress, timeout_s)

    def delete_asset(self, name: str, collection: str | None, timeout_s: float = 0.0) -> DeletionReport:
        """Remove an asset from one collection, or from all; with the last membership its data goes, everywhere. `name`
        as for `Catalog.find`.

        Errors: AssetNotFound, CollectionNotFound, IndexBusy.
        """
        deleted = self.remove_asset(self._catalog.find(name).asset_id, collection, timeout_s)
        self.refresh_calibration()
        return deleted

    def remove_asset(self, asset_id: str, collection: str | None, timeout_s: float) -> DeletionReport:
        """`delete`, of an asset by its id, which another one's name may be too; without measuring: see `settle`."""
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
            segments, files = (0, 0) if remaining else self._delete_data(asset_id)
            if remaining:
                self._update_tags(self._catalog.filter_tags(asset))
        return DeletionReport(asset, tuple(sorted(holders - remaining)), segments, files)

    def complete_deletion(self, asset_id: str, timeout_s: float = 0.0) -> None:
        """Remove what a deletion that was cut off left of an asset; one that a source points to stays as it is.
        Without measuring: see `settle`. Errors: IndexBusy.
        """
        with self._locks.write_lock(asset_id, timeout_s):
            self._delete_leftovers(asset_id, asset_id in self._catalog.orphaned_asset_ids())

    def delete_collection(self, name: str, timeout_s: float = 0.0) -> list[DeletionReport]:
        """Remove a collection and what is in it; assets that others hold stay there.

        Errors: CollectionNotFound, IndexBusy; CollectionInUse where it is filled again meanwhile.
        """
        reports = []
        for asset in self._catalog.assets([name]):
            with suppress(AssetNotFound):
                reports.append(self.remove_asset(asset.asset_id, name, timeout_s))
        self.refresh_calibration()
        self._catalog.delete_collection(name)
        return reports

    def refresh_calibration(self, has_pending_jobs: bool = False) -> None:
        """Measure what scores are worth in the archive as it is now; while there is more to come, now and then.

        Errors: those of encoders, index and blobs.
        """
        self._calibration.refresh_if_stale(_CALIBRATION_INTERVAL_S if has_pending_jobs else 0.0)

    @contextmanager
    def _ensure_consistent(self, collection: str) -> Iterator[None]:
        """An archive that is in order."""
        validate_collection_name(collection)
        self._indexed_asset_ids = None
        self._index.verify_models()
        self._recover()
        try:
            yield
        except (WriteLockTimeout, GeneratorExit):
            raise
        except BaseException:
            self._is_consistent = False
            raise

    def _report_file(
        self,
        file: DiscoveredFile | SourceError,
        collection: str,
        progress: FileProgressCallback | None,
        timeout_s: float,
    ) -> FileReport:
        try:
            return self._index_or_report(file, collection, progress, timeout_s)
        except (WriteLockTimeout, DatabaseUnavailable):
            raise
        except (AfterimageError, OSError) as error:
            self._is_consistent = False
            return FileReport(file.name, Outcome.FAILED, reason=str(error))

    def _index_or_report(
        self,
        file: DiscoveredFile | SourceError,
        collection: str,
        progress: FileProgressCallback | None,
        timeout_s: float,
    ) -> FileReport:
        if isinstance(file, SourceError):
            return FileReport(file.name, Outcome.FAILED, reason=file.reason)
        report = None if progress is None else partial(progress, file.name)
        try:
            return self._index_file(file, collection, report, timeout_s)
        except SourceError as error:
            if isinstance(error, UnsupportedMedia) and not file.explicit:
                return FileReport(file.name, Outcome.SKIPPED, reason=error.reason)
            return FileReport(file.name, Outcome.FAILED, reason=error.reason)

    def _index_file(
        self,
        file: DiscoveredFile,
        collection: str,
        progress: PipelineProgress | None,
        timeout_s: float,
        retry: bool = True,
    ) -> FileReport:
        fingerprint, pipeline = file.fingerprint(), self._pipeline()
        indexed_as = f"{fingerprint}@{pipeline.version}"
        previous = self._catalog.find_source(collection, file.uri)
        if previous is not None and (previous.state, previous.name) == (indexed_as, file.name):
            known = self._catalog.get([previous.asset_id]).get(previous.asset_id)
            if known is not None and self._is_indexed(known.asset_id):
                return FileReport(file.name, Outcome.UNCHANGED, known)
        sidecars = file.sidecars()
        asset_id = _identify(file, sidecars)
        with self._locks.write_lock(asset_id, timeout_s) as lock:
            if not (changed := retry and file.fingerprint() != fingerprint):
                manifest = self._build_artifacts(file, asset_id, sidecars, pipeline, progress)
                lock.raise_if_lost()
                asset = _make_asset(file, manifest)
                if file.fingerprint() != fingerprint:
                    asset = replace(asset, warnings=(*asset.warnings, _CHANGED_WARNING))
                source = Source(collection, file.uri, asset_id, indexed_as, asset.name, asset.file_time)
                try:
                    known, asset = self._ensure_indexed(asset, source, pipeline, manifest)
                except ArtifactError as error:
                    _log.warning("%s: made again, since it is damaged: %s", asset.name, error)
                    manifest = self._build_artifacts(file, asset_id, sidecars, pipeline, progress, rebuild=True)
                    known, asset = self._ensure_indexed(asset, source, pipeline, manifest)
                replaced_id = self._publish(source, asset)
        if changed:  # while another one was waited for: these are not the bytes that the lock is for
            return self._index_file(file, collection, progress, timeout_s, retry=False)
        if replaced_id is not None:
            self._delete_or_retag(replaced_id)
        return FileReport(file.name, _outcome_of(previous, known, asset), asset, "; ".join(asset.warnings))

    def _ensure_indexed(
        self, asset: Asset, source: Source, pipeline: Pipeline, manifest: Manifest
    ) -> tuple[Asset | None, Asset]:
        """See that the index holds the asset; what the catalog knew of it, and what it shall know."""
        known = self._catalog.get([asset.asset_id]).get(asset.asset_id)
        tags = self._catalog.filter_tags(asset, source)
        if known is not None and known.version == asset.version and self._update_tags(tags):
            return known, known
        return known, replace(asset, segments=self._index.put(tags, pipeline.read_batches(manifest)))

    def _is_indexed(self, asset_id: str) -> bool:
        """Whether the index held an asset when this run began: a reindex leaves out what is damaged."""
        if self._indexed_asset_ids is None:
            self._indexed_asset_ids = self._index.segment_counts().keys()
        return asset_id in self._indexed_asset_ids

    def _update_tags(self, tags: AssetTags) -> bool:
        """Tag an asset that is in the index; False where it is not (a reindex left it out as damaged)."""
        try:
            self._index.update_tags(tags)
        except AssetNotFound:
            return False
        return True

    def _build_artifacts(
        self,
        file: DiscoveredFile,
        asset_id: str,
        sidecars: tuple[Path, ...],
        pipeline: Pipeline,
        progress: PipelineProgress | None,
        rebuild: bool = False,
    ) -> Manifest:
        """The artifacts of a file: made now, or found, where the same bytes were indexed before, and not `again`."""
        if not rebuild and self._artifacts.is_complete(asset_id, pipeline.version):
            try:
                return self._artifacts.read_manifest(asset_id, pipeline.version)
            except ArtifactError:
                rebuild = True
        info = self._media.probe(file.path)
        return pipeline.run(IndexSource(file.path, asset_id, info, sidecars), progress, rebuild)

    def _publish(self, source: Source, asset: Asset) -> str | None:
        """Make the new state visible, then clear away older versions; the asset that was there before, if another."""
        replaced = self._catalog.upsert_source(source, asset)
        for version in self._artifacts.list_versions(asset.asset_id):
            if version != asset.version:
                self._artifacts.delete(asset.asset_id, version)
        return replaced

    def _delete_or_retag(self, replaced_id: str) -> None:
        """Who holds it for long is indexing it, and will tag it; if nothing points to it any more, it goes later."""
        try:
            with self._locks.write_lock(replaced_id, _REPLACED_ASSET_TIMEOUT_S):
                if self._catalog.sources(replaced_id):
                    self._update_tags(self._catalog.filter_tags(self._catalog.get([replaced_id])[replaced_id]))
                else:
                    self._delete_data(replaced_id)
        except WriteLockTimeout:
            self._is_consistent = False

    def _delete_data(self, asset_id: str) -> tuple[int, int]:
        segments = self._index.remove(asset_id)
        files = self._artifacts.delete(asset_id)
        self._catalog.delete_asset(asset_id)
        return segments, files

    def _recover(self) -> None:
        """Clear away what a crash left between two steps: assets without a source, index rows without an asset.

        What another one holds is under way, and left alone.
        """
        if self._is_consistent:
            return
        orphans = set(self._catalog.orphaned_asset_ids())
        known = {asset.asset_id for asset in self._catalog.assets()}
        consistent = True
        for asset_id in sorted(orphans | (self._index.segment_counts().keys() - known)):
            try:
                with self._locks.write_lock(asset_id):
                    self._delete_leftovers(asset_id, asset_id in orphans)
            except WriteLockTimeout:
                consistent = False
        self._is_consistent = consistent

    def _delete_leftovers(self, asset_id: str, orphan: bool) -> None:
        """Unfinished artifacts of what is no asset yet are kept: the next run goes on with them."""
        if self._catalog.sources(asset_id):
            return
        if orphan:
            self._delete_data(asset_id)
        else:
            self._index.remove(asset_id)


def _identify(file: DiscoveredFile, sidecars: tuple[Path, ...]) -> str:
    try:
        return compute_asset_id(file.path, sidecars)
    except OSError as error:
        raise SourceNotFound(str(file.path), f"cannot be read ({error.strerror})") from error


def _outcome_of(previous: Source | None, known: Asset | None, asset: Asset) -> Outcome:
    if previous is None:
        return Outcome.INDEXED
    same = previous.asset_id == asset.asset_id and known is not None and known.version == asset.version
    return Outcome.UNCHANGED if same else Outcome.UPDATED


def _make_asset(file: DiscoveredFile, manifest: Manifest) -> Asset:
    info = manifest.info
    return Asset(
        asset_id=manifest.asset_id,
        version=manifest.version,
        kind=info.kind,
        name=file.name,
        duration_s=info.duration_s if manifest.end_s is None else manifest.end_s,
        pages=info.pages,
        width=info.width,
        height=info.height,
        file_time=info.taken_at or file.path.stat().st_mtime,
        segments=manifest.segments,
        sampled_frames=manifest.sampled_frames,
        warnings=manifest.warnings,
        indexed_at=now(),
    )
