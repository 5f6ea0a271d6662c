"""Index files into a collection. One writer of an asset at a time; readers always see a whole state."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from indexer.errors import (
    AfterimageError,
    ArtifactError,
    SourceChanged,
    SourceError,
    SourceNotFound,
    UnsupportedMedia,
    WriteLockTimeout,
)
from indexer.media.sandbox.client import SandboxedDecoder
from indexer.pipeline.pipeline import IndexSource, Pipeline, PipelineProgress, compute_asset_id
from indexer.storage.artifacts import Manifest
from services.catalog.types import Asset, Source, validate_collection_name
from services.database.errors import DatabaseUnavailable
from services.ingest.asset_rows import make_asset
from services.ingest.file_discovery import DiscoveredFile, SubtitleFile, discover, explain_os_error
from services.ingest.known_sources import KnownSource, KnownSources
from services.ingest.missing_sources import MissingSources, is_missing
from services.ingest.ports import Locks, WriteLock
from services.ingest.recovery import Recovery
from services.ingest.stored_assets import StoredAssets
from services.ingest.types import MEASURING_SCORES, FileProgressCallback, FileReport, Outcome
from services.search.calibration import Calibration

_log = logging.getLogger(__name__)
_NEXT_FILE_TIMEOUT_S = 3600.0
"""Chosen: a run that has indexed a file waits an hour for the lock of the next, rather than fail half-way."""
_REPLACED_ASSET_TIMEOUT_S = 30.0
"""Chosen: longer holders of a replaced asset's lock are indexing it, and will tag it themselves."""
_GONE = "its file is gone; it is still searched"
_MAX_ATTEMPTS = 3
"""Chosen: a file that is replaced while it is indexed is taken up again; one that is being written is given up."""
_CHANGED = "was written to while it was indexed: index it again when it is complete"
"""Also the warning of assets indexed before 2026-11-29, whose artifacts may be those of other bytes."""


@dataclass(frozen=True, slots=True)
class _FileTask:
    """One file on its way into a collection.

    `fingerprint` and `change_stamp` are those of the file just before its bytes were hashed to `asset_id`; `state`
    joins the fingerprint with the pipeline's version, as the catalog stores it; `previous` is what the catalog knew of
    the source.
    """

    file: DiscoveredFile
    collection: str
    progress: PipelineProgress | None
    pipeline: Pipeline
    fingerprint: str
    change_stamp: str
    state: str
    sidecars: tuple[Path, ...]
    asset_id: str
    previous: Source | None


class Indexing:
    """Write artifacts, index and catalog, in this order.

    The catalog makes an asset visible: a search shows nothing that the catalog does not hold, and what a crash left
    between two steps is erased by the next run (`Recovery`). An asset is changed only by the holder of its write lock,
    and nobody holds two.
    """

    def __init__(
        self,
        locks: Locks,
        decoder: SandboxedDecoder,
        pipeline: Callable[[], Pipeline],
        stored: StoredAssets,
        recovery: Recovery,
        missing: MissingSources,
        calibration: Calibration,
    ) -> None:
        self._locks, self._decoder, self._pipeline = locks, decoder, pipeline
        self._stored, self._recovery, self._missing, self._calibration = stored, recovery, missing, calibration
        self._index, self._artifacts, self._catalog = stored.index, stored.artifacts, stored.catalog
        self._known = KnownSources(stored.catalog)
        self._indexed_asset_ids: Set[str] | None = None

    def index_paths(
        self,
        paths: Sequence[Path],
        collection: str,
        progress: FileProgressCallback | None = None,
        timeout_s: float = 0.0,
    ) -> Iterator[FileReport]:
        """Index the files that paths stand for; yield a report for each, failures included; refresh the calibration.

        Files below the paths that were indexed before and are gone are marked and reported too; they stay searchable.
        `progress` is called after every checkpoint, and while scores are measured. `timeout_s` is how long to wait for
        another writer.
        Errors: WriteLockTimeout, IndexMismatch, ModelError, DatabaseUnavailable, InvalidInput (collection's name).
        """
        with self._consistent_archive(collection):
            for path in paths:
                seen: set[str] = set()
                for file, known in self._known.look_up(collection, discover(path)):
                    if isinstance(file, DiscoveredFile):
                        seen.add(file.uri)
                    if (unchanged := self._pass_over(file, known)) is not None:
                        yield unchanged
                        continue
                    yield self._report_any_failure(file, collection, progress, timeout_s)
                    timeout_s = max(timeout_s, _NEXT_FILE_TIMEOUT_S)
                yield from self.report_gone(collection, path, seen)
        report = None if progress is None else partial(progress, MEASURING_SCORES)
        self._calibration.refresh_if_stale(progress=report)

    def report_gone(self, collection: str, path: Path, seen: Set[str] = frozenset()) -> list[FileReport]:
        """Mark the files at a path or below it that were indexed before and are gone; return a report for each.

        `seen` are URIs of files that are known to be there. Errors: those of the catalog.
        """
        missing = self._missing.refresh(collection, path, seen)
        return [FileReport(gone.source.name, Outcome.GONE, gone.asset, _GONE) for gone in missing]

    def index_files(
        self,
        files: Iterable[DiscoveredFile | SubtitleFile | SourceError],
        collection: str,
        progress: FileProgressCallback | None,
        timeout_s: float,
    ) -> Iterator[FileReport]:
        """Index discovered files; yield a report for each. Only what is wrong with a file itself becomes a report.

        Everything else is raised, so that a later try may succeed. No file is taken from `files` before the report of
        the one before it was. The calibration is not refreshed.
        Errors: those of `index_paths`, StorageFull and ArtifactError; what was finished before is kept.
        """
        with self._consistent_archive(collection):
            for file in files:
                yield self._report_source_errors(file, collection, progress, timeout_s)

    @contextmanager
    def _consistent_archive(self, collection: str) -> Iterator[None]:
        """Check the index and erase leftovers before a run; have them looked for again where it fails."""
        validate_collection_name(collection)
        self._catalog.require_writable()
        self._indexed_asset_ids = None
        self._index.verify_models()
        self._recovery.recover()
        try:
            yield
        except (WriteLockTimeout, GeneratorExit):
            raise
        except BaseException:
            self._recovery.request()
            raise

    def _pass_over(
        self, file: DiscoveredFile | SubtitleFile | SourceError, known: KnownSource | None
    ) -> FileReport | None:
        """Return the report of a file that is known, unchanged and indexed; None for every other."""
        if known is None or not isinstance(file, DiscoveredFile):
            return None
        name = known.source.name if file.is_link else file.name
        try:
            state = f"{file.fingerprint()}@{self._pipeline().version}"
        except SourceError:  # told where it is taken up
            return None
        if (known.source.state, known.source.name, known.source.missing_since) != (state, name, None):
            return None
        if _CHANGED in known.asset.warnings or not self._is_indexed(known.asset.asset_id):
            return None
        return FileReport(name, Outcome.UNCHANGED, known.asset)

    def _report_any_failure(
        self,
        file: DiscoveredFile | SubtitleFile | SourceError,
        collection: str,
        progress: FileProgressCallback | None,
        timeout_s: float,
    ) -> FileReport:
        try:
            return self._report_source_errors(file, collection, progress, timeout_s)
        except (WriteLockTimeout, DatabaseUnavailable):
            raise
        except (AfterimageError, OSError) as error:
            self._recovery.request()
            return FileReport(file.name, Outcome.FAILED, reason=_explain(error))

    def _report_source_errors(
        self,
        file: DiscoveredFile | SubtitleFile | SourceError,
        collection: str,
        progress: FileProgressCallback | None,
        timeout_s: float,
    ) -> FileReport:
        if isinstance(file, SourceError):
            return FileReport(file.name, Outcome.FAILED, reason=file.reason)
        if isinstance(file, SubtitleFile):
            return FileReport(file.name, Outcome.SIDECAR if file.recording else Outcome.UNMATCHED, reason=file.reason)
        report = None if progress is None else partial(progress, file.name)
        try:
            return self._index_file(file, collection, report, timeout_s)
        except SourceError as error:
            if isinstance(error, UnsupportedMedia) and not file.explicit:
                return FileReport(file.name, Outcome.SKIPPED, reason=error.reason)
            return FileReport(file.name, Outcome.FAILED, reason=error.reason)

    def _index_file(
        self, file: DiscoveredFile, collection: str, progress: PipelineProgress | None, timeout_s: float
    ) -> FileReport:
        """Index one file, anew where it changes meanwhile. Errors: SourceChanged where it goes on changing."""
        changed: _FileTask | None = None
        for _ in range(_MAX_ATTEMPTS):
            try:
                task = self._prepare(file, collection, progress)
            except SourceNotFound as error:
                if changed is None:
                    raise
                self._discard_draft(changed)
                raise SourceNotFound(file.name, f"went away while it was indexed ({error.reason})") from error
            if changed is not None and (isinstance(task, FileReport) or task.asset_id != changed.asset_id):
                self._discard_draft(changed)
            if isinstance(task, FileReport):
                return task
            try:
                with self._locks.write_lock(task.asset_id, timeout_s) as lock:
                    _verify_unchanged(task)
                    report, replaced_id = self._write(task, lock)
            except SourceError:
                if _is_unchanged(task):
                    raise
                changed = task
                continue
            if replaced_id is not None:
                self._release_replaced(replaced_id)
            return report
        if changed is not None:
            self._discard_draft(changed)
        raise SourceChanged(file.name, _CHANGED)

    def _prepare(
        self, file: DiscoveredFile, collection: str, progress: PipelineProgress | None
    ) -> _FileTask | FileReport:
        """Identify a file by its bytes; a report at once where the source is known, unchanged and indexed."""
        previous = self._catalog.find_source(collection, file.uri)
        if previous is not None and file.is_link:
            file = replace(file, name=previous.name)
        pipeline, fingerprint, change_stamp = self._pipeline(), file.fingerprint(), file.change_stamp()
        state = f"{fingerprint}@{pipeline.version}"
        known = None if previous is None else self._catalog.get([previous.asset_id]).get(previous.asset_id)
        if previous is not None and known is not None:
            unchanged = self._pass_over(file, KnownSource(previous, known))
            if unchanged is not None:
                return unchanged
        sidecars = file.sidecars()
        try:
            asset_id = compute_asset_id(file.path, sidecars)
        except OSError as error:
            raise SourceNotFound(str(file.path), explain_os_error(error)) from error
        return _FileTask(
            file, collection, progress, pipeline, fingerprint, change_stamp, state, sidecars, asset_id, previous
        )

    def _write(self, task: _FileTask, lock: WriteLock) -> tuple[FileReport, str | None]:
        """Write a file's artifacts, index rows and catalog row; also return the id of the asset that it replaced."""
        known = self._catalog.get([task.asset_id]).get(task.asset_id)
        is_trusted = known is None or _CHANGED not in known.warnings
        manifest = self._build_artifacts(task, known) if is_trusted else self._rebuild_artifacts(task)
        lock.raise_if_lost()
        asset = make_asset(task.file, manifest)
        source = Source(task.collection, task.file.uri, task.asset_id, task.state, asset.name, asset.file_time)
        indexed = known if is_trusted else None
        try:
            asset = self._ensure_indexed(asset, source, task.pipeline, manifest, indexed)
        except ArtifactError as error:
            _log.warning("%s: indexed again, since its artifacts are damaged: %s", asset.name, error)
            asset = self._ensure_indexed(asset, source, task.pipeline, self._repair_artifacts(task), indexed)
        replaced_id = self._publish(source, asset)
        outcome, reasons = _outcome_of(task.previous, indexed, asset), asset.warnings
        if task.previous is None and (former_names := self._forget_former_places(source)):
            outcome, reasons = Outcome.MOVED, (f"was {', '.join(former_names)}", *reasons)
        return FileReport(task.file.name, outcome, asset, "; ".join(reasons)), replaced_id

    def _forget_former_places(self, source: Source) -> list[str]:
        """Remove the other sources of a moved asset in a collection, whose files are gone; return their names."""
        others = self._catalog.sources(source.asset_id, [source.collection])
        former = [other for other in others if other.uri != source.uri and is_missing(other)]
        for other in former:
            self._catalog.remove_source(other.collection, other.uri)
        return [other.name for other in former]

    def _ensure_indexed(
        self, asset: Asset, source: Source, pipeline: Pipeline, manifest: Manifest, indexed: Asset | None
    ) -> Asset:
        """Put an asset into the index unless it holds this version (`indexed`); return the catalog's row."""
        tags = self._catalog.filter_tags(asset, source)
        if indexed is not None and indexed.version == asset.version and self._stored.update_tags(tags):
            return indexed
        return replace(asset, segments=self._index.put(tags, pipeline.read_batches(manifest)))

    def _is_indexed(self, asset_id: str) -> bool:
        """Tell whether the index held an asset when this run began: a reindex leaves out damaged ones."""
        if self._indexed_asset_ids is None:
            self._indexed_asset_ids = self._index.segment_counts().keys()
        return asset_id in self._indexed_asset_ids

    def _build_artifacts(self, task: _FileTask, known: Asset | None) -> Manifest:
        """Return the manifest of a file: the stored one where the same bytes were indexed before, else a new one.

        Where `known` differs by its encoders only, it is made of the stored key frames and texts, as by a reindex.
        """
        if not self._artifacts.is_complete(task.asset_id, task.pipeline.version):
            if known is not None and task.pipeline.can_reencode(known.version):
                with suppress(ArtifactError):
                    return task.pipeline.reencode(self._artifacts.read_manifest(known.asset_id, known.version))
            return task.pipeline.run(self._open_source(task), task.progress)
        try:
            return self._artifacts.read_manifest(task.asset_id, task.pipeline.version)
        except ArtifactError:
            return self._repair_artifacts(task)

    def _repair_artifacts(self, task: _FileTask) -> Manifest:
        """Build a file's artifacts again, from the first damaged checkpoint on."""
        return task.pipeline.repair(self._open_source(task), task.progress)

    def _rebuild_artifacts(self, task: _FileTask) -> Manifest:
        """Build a file's artifacts from the start: those that are stored may have been made of other bytes."""
        return task.pipeline.rebuild(self._open_source(task), task.progress)

    def _open_source(self, task: _FileTask) -> IndexSource:
        info = self._decoder.probe(task.file.path)
        return IndexSource(task.file.path, task.asset_id, info, task.sidecars, partial(_verify_unchanged, task))

    def _publish(self, source: Source, asset: Asset) -> str | None:
        """Point the source to the asset, delete older versions; return the asset it pointed to before, if another."""
        replaced_id = self._catalog.upsert_source(source, asset)
        for version in self._artifacts.list_versions(asset.asset_id):
            if version != asset.version:
                self._artifacts.delete(asset.asset_id, version)
        return replaced_id

    def _discard_draft(self, task: _FileTask) -> None:
        """Delete what was made of a file before it changed, unless it is complete or somebody else is at it."""
        with suppress(WriteLockTimeout), self._locks.write_lock(task.asset_id):
            if not self._catalog.get([task.asset_id]):
                self._artifacts.delete(task.asset_id, task.pipeline.version)

    def _release_replaced(self, asset_id: str) -> None:
        """Retag or erase an asset that lost a source; leave it to recovery where another writer holds it for long."""
        try:
            with self._locks.write_lock(asset_id, _REPLACED_ASSET_TIMEOUT_S):
                self._stored.retag_or_erase(asset_id)
        except WriteLockTimeout:
            self._recovery.request()


def _explain(error: Exception) -> str:
    """Return the reason of an error as a report tells it: never a bare errno."""
    if isinstance(error, OSError) and not isinstance(error, AfterimageError):
        return explain_os_error(error)
    return str(error)


def _is_unchanged(task: _FileTask) -> bool:
    """Return True if a file is as it was just before it was hashed; False where it is gone, or not allowed."""
    try:
        return task.file.change_stamp() == task.change_stamp
    except SourceError:
        return False


def _verify_unchanged(task: _FileTask) -> None:
    """Raise SourceChanged if a file is not as it was just before it was hashed."""
    if not _is_unchanged(task):
        raise SourceChanged(task.file.name, _CHANGED)


def _outcome_of(previous: Source | None, known: Asset | None, asset: Asset) -> Outcome:
    if previous is None:
        return Outcome.INDEXED
    same = previous.asset_id == asset.asset_id and known is not None and known.version == asset.version
    return Outcome.UNCHANGED if same else Outcome.UPDATED
