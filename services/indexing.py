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

from indexer.artifacts import Artifacts, Manifest
from indexer.errors import (
    AfterimageError,
    ArtifactError,
    AssetNotFound,
    DatabaseUnavailable,
    IndexBusy,
    SourceError,
    SourceNotFound,
    UnsupportedMedia,
)
from indexer.media.process import MediaProcess
from indexer.pipeline import Pipeline, Report, Source, asset_id
from indexer.ports import SegmentIndex
from indexer.types import AssetTags
from services.calibration import Calibration
from services.catalog import Asset, Catalog, SourceRow, checked_name, now
from services.ports import Locks
from services.sources import Candidate, candidates

Progress: TypeAlias = Callable[[str, float, float | None], None]
"""Called with a file's name, what is done of it and how much there is (seconds of video or pages; None: not known)."""


_log = logging.getLogger(__name__)
_TURN_S = 3600.0
"""How long a run that has begun waits for its turn at the next file."""
_REST_S = 60.0
"""Between two measurements of what scores are worth, while the archive is filled."""
_SOON_S = 30.0
"""How long an asset that was replaced is waited for."""
_WRITTEN_TO = "was written to while it was indexed: index it again when it is complete"


class Outcome(StrEnum):
    """What became of one file."""

    INDEXED = "indexed"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    PASSED_OVER = "passed over"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Indexed:
    """One file's line in the report of an indexing run. `reason` is why it failed, or its warnings."""

    name: str
    outcome: Outcome
    asset: Asset | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Deleted:
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
        media: MediaProcess,
        artifacts: Artifacts,
        pipeline: Callable[[], Pipeline],
        index: SegmentIndex,
        catalog: Catalog,
        calibration: Calibration,
        dropped: Callable[[SourceRow], None],
    ) -> None:
        self._locks, self._media, self._artifacts, self._pipeline = locks, media, artifacts, pipeline
        self._index, self._catalog, self._calibration, self._dropped = index, catalog, calibration, dropped
        self._is_right = False
        self._held: Set[str] | None = None

    def index(
        self, paths: Sequence[Path], collection: str, progress: Progress | None = None, patience_s: float = 0.0
    ) -> Iterator[Indexed]:
        """Index what the paths stand for, into a collection; yields a line for every file, failures included.

        `progress` is called after every checkpoint. `patience_s` is how long to wait where another one is writing.
        Errors: IndexBusy, IndexMismatch, ModelError, DatabaseUnavailable, QueryError for a collection's name.
        """
        with self._adding(collection):
            for path in paths:
                for candidate in candidates(path):
                    yield self._line(candidate, collection, progress, patience_s)
                    patience_s = max(patience_s, _TURN_S)
        self.settle()

    def take(
        self, found: Iterable[Candidate | SourceError], collection: str, progress: Progress | None, patience_s: float
    ) -> Iterator[Indexed]:
        """Index what was found, into a collection; what is wrong with a file is its line, all else is raised.

        So whoever comes again later may have better luck. What scores are worth is not measured: see `settle`.
        Errors: those of `index`, StorageFull and ArtifactError, after which what was finished is kept.
        """
        with self._adding(collection):
            for candidate in found:
                yield self._taken(candidate, collection, progress, patience_s)

    def delete(self, name: str, collection: str | None, patience_s: float = 0.0) -> Deleted:
        """Remove an asset from one collection, or from all; with the last membership its data goes, everywhere. `name`
        as for `Catalog.find`.

        Errors: AssetNotFound, CollectionNotFound, IndexBusy.
        """
        deleted = self.take_out(self._catalog.find(name).asset_id, collection, patience_s)
        self.settle()
        return deleted

    def take_out(self, key: str, collection: str | None, patience_s: float) -> Deleted:
        """`delete`, of an asset by its id, which another one's name may be too; without measuring: see `settle`."""
        with self._locks.writing(key, patience_s):
            asset = self._catalog.get([key]).get(key)
            if asset is None:
                raise AssetNotFound(f"no asset {key!r}")
            sources = self._catalog.sources(key)
            held = {source.collection for source in sources}
            left = held - ({collection} if collection is not None else held)
            asset = self._catalog.get([key], held - left).get(key, asset)
            for source in sources:
                if source.collection not in left:
                    self._dropped(source)
            self._catalog.drop_membership(key, collection)
            segments, files = (0, 0) if left else self._remove(key)
            if left:
                self._holds(self._catalog.tags(asset))
        return Deleted(asset, tuple(sorted(held - left)), segments, files)

    def finish_deletion(self, key: str, patience_s: float = 0.0) -> None:
        """Remove what a deletion that was cut off left of an asset; one that a source points to stays as it is.
        Without measuring: see `settle`. Errors: IndexBusy.
        """
        with self._locks.writing(key, patience_s):
            self._clear(key, key in self._catalog.orphans())

    def drop_collection(self, name: str, patience_s: float = 0.0) -> list[Deleted]:
        """Remove a collection and what is in it; assets that others hold stay there.

        Errors: CollectionNotFound, IndexBusy; CollectionInUse where it is filled again meanwhile.
        """
        gone = []
        for asset in self._catalog.assets([name]):
            with suppress(AssetNotFound):
                gone.append(self.take_out(asset.asset_id, name, patience_s))
        self.settle()
        self._catalog.drop_collection(name)
        return gone

    def settle(self, more_to_come: bool = False) -> None:
        """Measure what scores are worth in the archive as it is now; while there is more to come, now and then.

        Errors: those of encoders, index and blobs.
        """
        self._calibration.keep_up(_REST_S if more_to_come else 0.0)

    @contextmanager
    def _adding(self, collection: str) -> Iterator[None]:
        """An archive that is in order."""
        checked_name(collection)
        self._held = None
        self._index.check()
        self._put_right()
        try:
            yield
        except (IndexBusy, GeneratorExit):
            raise
        except BaseException:
            self._is_right = False
            raise

    def _line(
        self, candidate: Candidate | SourceError, collection: str, progress: Progress | None, patience_s: float
    ) -> Indexed:
        try:
            return self._taken(candidate, collection, progress, patience_s)
        except (IndexBusy, DatabaseUnavailable):
            raise
        except (AfterimageError, OSError) as error:
            self._is_right = False
            return Indexed(candidate.name, Outcome.FAILED, reason=str(error))

    def _taken(
        self, candidate: Candidate | SourceError, collection: str, progress: Progress | None, patience_s: float
    ) -> Indexed:
        if isinstance(candidate, SourceError):
            return Indexed(candidate.name, Outcome.FAILED, reason=candidate.reason)
        report = None if progress is None else partial(progress, candidate.name)
        try:
            return self._one(candidate, collection, report, patience_s)
        except SourceError as error:
            if isinstance(error, UnsupportedMedia) and not candidate.expected:
                return Indexed(candidate.name, Outcome.PASSED_OVER, reason=error.reason)
            return Indexed(candidate.name, Outcome.FAILED, reason=error.reason)

    def _one(
        self, candidate: Candidate, collection: str, progress: Report | None, patience_s: float, again: bool = True
    ) -> Indexed:
        state, pipeline = candidate.state(), self._pipeline()
        indexed_as = f"{state}@{pipeline.version}"
        before = self._catalog.source(collection, candidate.uri)
        if before is not None and (before.state, before.name) == (indexed_as, candidate.name):
            known = self._catalog.get([before.asset_id]).get(before.asset_id)
            if known is not None and self._is_held(known.asset_id):
                return Indexed(candidate.name, Outcome.UNCHANGED, known)
        sidecars = candidate.sidecars()
        key = _key(candidate, sidecars)
        with self._locks.writing(key, patience_s) as held:
            if not (moved_on := again and candidate.state() != state):
                manifest = self._made(candidate, key, sidecars, pipeline, progress)
                held.check()
                asset = _asset(candidate, manifest)
                if candidate.state() != state:
                    asset = replace(asset, warnings=(*asset.warnings, _WRITTEN_TO))
                source = SourceRow(collection, candidate.uri, key, indexed_as, asset.name, asset.file_time)
                try:
                    known, asset = self._put(asset, source, pipeline, manifest)
                except ArtifactError as error:
                    _log.warning("%s: made again, since it is damaged: %s", asset.name, error)
                    manifest = self._made(candidate, key, sidecars, pipeline, progress, again=True)
                    known, asset = self._put(asset, source, pipeline, manifest)
                replaced = self._switch(source, asset)
        if moved_on:  # while another one was waited for: these are not the bytes that the lock is for
            return self._one(candidate, collection, progress, patience_s, again=False)
        if replaced is not None:
            self._drop_or_tag(replaced)
        return Indexed(candidate.name, _outcome(before, known, asset), asset, "; ".join(asset.warnings))

    def _put(
        self, asset: Asset, source: SourceRow, pipeline: Pipeline, manifest: Manifest
    ) -> tuple[Asset | None, Asset]:
        """See that the index holds the asset; what the catalog knew of it, and what it shall know."""
        known = self._catalog.get([asset.asset_id]).get(asset.asset_id)
        tags = self._catalog.tags(asset, source)
        if known is not None and known.version == asset.version and self._holds(tags):
            return known, known
        return known, replace(asset, segments=self._index.put(tags, pipeline.batches(manifest)))

    def _is_held(self, key: str) -> bool:
        """Whether the index held an asset when this run began: a reindex leaves out what is damaged."""
        if self._held is None:
            self._held = self._index.counts().keys()
        return key in self._held

    def _holds(self, tags: AssetTags) -> bool:
        """Tag an asset that is in the index; False where it is not (a reindex left it out as damaged)."""
        try:
            self._index.tag(tags)
        except AssetNotFound:
            return False
        return True

    def _made(
        self,
        candidate: Candidate,
        key: str,
        sidecars: tuple[Path, ...],
        pipeline: Pipeline,
        progress: Report | None,
        again: bool = False,
    ) -> Manifest:
        """The artifacts of a file: made now, or found, where the same bytes were indexed before, and not `again`."""
        if not again and self._artifacts.complete(key, pipeline.version):
            try:
                return self._artifacts.manifest(key, pipeline.version)
            except ArtifactError:
                again = True
        info = self._media.probe(candidate.path)
        return pipeline.run(Source(candidate.path, key, info, sidecars), progress, again)

    def _switch(self, source: SourceRow, asset: Asset) -> str | None:
        """Make the new state visible, then clear away older versions; the asset that was there before, if another."""
        replaced = self._catalog.point(source, asset)
        for version in self._artifacts.versions(asset.asset_id):
            if version != asset.version:
                self._artifacts.delete(asset.asset_id, version)
        return replaced

    def _drop_or_tag(self, replaced: str) -> None:
        """Who holds it for long is indexing it, and will tag it; if nothing points to it any more, it goes later."""
        try:
            with self._locks.writing(replaced, _SOON_S):
                if self._catalog.sources(replaced):
                    self._holds(self._catalog.tags(self._catalog.get([replaced])[replaced]))
                else:
                    self._remove(replaced)
        except IndexBusy:
            self._is_right = False

    def _remove(self, key: str) -> tuple[int, int]:
        segments = self._index.remove(key)
        files = self._artifacts.delete(key)
        self._catalog.forget(key)
        return segments, files

    def _put_right(self) -> None:
        """Clear away what a crash left between two steps: assets without a source, index rows without an asset.

        What another one holds is under way, and left alone.
        """
        if self._is_right:
            return
        orphans = set(self._catalog.orphans())
        known = {asset.asset_id for asset in self._catalog.assets()}
        right = True
        for key in sorted(orphans | (self._index.counts().keys() - known)):
            try:
                with self._locks.writing(key):
                    self._clear(key, key in orphans)
            except IndexBusy:
                right = False
        self._is_right = right

    def _clear(self, key: str, orphan: bool) -> None:
        """Unfinished artifacts of what is no asset yet are kept: the next run goes on with them."""
        if self._catalog.sources(key):
            return
        if orphan:
            self._remove(key)
        else:
            self._index.remove(key)


def _key(candidate: Candidate, sidecars: tuple[Path, ...]) -> str:
    try:
        return asset_id(candidate.path, sidecars)
    except OSError as error:
        raise SourceNotFound(str(candidate.path), f"cannot be read ({error.strerror})") from error


def _outcome(before: SourceRow | None, known: Asset | None, asset: Asset) -> Outcome:
    if before is None:
        return Outcome.INDEXED
    same = before.asset_id == asset.asset_id and known is not None and known.version == asset.version
    return Outcome.UNCHANGED if same else Outcome.UPDATED


def _asset(candidate: Candidate, manifest: Manifest) -> Asset:
    info = manifest.info
    return Asset(
        asset_id=manifest.asset_id,
        version=manifest.version,
        kind=info.kind,
        name=candidate.name,
        duration_s=info.duration_s if manifest.end_s is None else manifest.end_s,
        pages=info.pages,
        width=info.width,
        height=info.height,
        file_time=info.taken_at or candidate.path.stat().st_mtime,
        segments=manifest.segments,
        looked_at=manifest.looked_at,
        warnings=manifest.warnings,
        indexed_at=now(),
    )
