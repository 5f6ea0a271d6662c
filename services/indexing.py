"""Index, delete, reindex: what changes the archive. One writer at a time; readers always see a whole state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TypeAlias

from indexer.artifacts import Artifacts, Manifest
from indexer.errors import AfterimageError, AssetNotFound, SourceError, SourceNotFound, UnsupportedMedia
from indexer.media.process import MediaProcess
from indexer.pipeline import Pipeline, Report, Source, asset_id
from indexer.ports import SegmentIndex
from indexer.types import AssetTags
from services.calibration import Calibration
from services.catalog import Asset, Catalog, SourceRow, now
from services.sources import Candidate, candidates
from services.write_lock import writing

Progress: TypeAlias = Callable[[str, float, float | None], None]
"""Called with a file's name, what is done of it and how much there is (seconds of video or pages; None: not known)."""


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
    shows nothing that the catalog does not hold. What a crash left between two of them is put right by the next run.
    `dropped` is called for every source that is about to leave the catalog.
    """

    def __init__(
        self,
        home: Path,
        media: MediaProcess,
        artifacts: Artifacts,
        pipeline: Callable[[], Pipeline],
        index: SegmentIndex,
        catalog: Catalog,
        calibration: Calibration,
        dropped: Callable[[SourceRow], None],
    ) -> None:
        self._home, self._media, self._artifacts, self._pipeline = home, media, artifacts, pipeline
        self._index, self._catalog, self._calibration, self._dropped = index, catalog, calibration, dropped

    def index(self, paths: Sequence[Path], collection: str, progress: Progress | None = None) -> Iterator[Indexed]:
        """Index what the paths stand for, into a collection; yields a line for every file, failures included.

        `progress` is called after every checkpoint. Errors: IndexBusy, IndexMismatch, ModelError.
        """
        with self._adding():
            for path in paths:
                for candidate in candidates(path):
                    yield self._line(candidate, collection, progress)

    def take(
        self, found: Iterable[Candidate | SourceError], collection: str, progress: Progress | None = None
    ) -> Iterator[Indexed]:
        """Index what was found, into a collection; what is wrong with a file is its line, all else is raised.

        So whoever comes again later may have better luck. Errors: those of `index`, StorageFull, ArtifactError and
        those of the database, after which what was finished is kept.
        """
        with self._adding():
            for candidate in found:
                yield self._taken(candidate, collection, progress)

    def delete(self, name: str, collection: str | None) -> Deleted:
        """Remove an asset from one collection, or from all; with the last membership its data goes, everywhere.

        Errors: AssetNotFound, CollectionNotFound, IndexBusy.
        """
        with writing(self._home):
            asset = self._catalog.find(name)
            sources = self._catalog.sources(asset.asset_id)
            held = {source.collection for source in sources}
            left = held - ({collection} if collection is not None else held)
            for source in sources:
                if source.collection not in left:
                    self._dropped(source)
            self._catalog.drop_membership(asset.asset_id, collection)
            segments, files = (0, 0) if left else self._remove(asset.asset_id)
            if left:
                self._holds(self._tags(asset))
            self._calibration.refresh()
            return Deleted(asset, tuple(sorted(held - left)), segments, files)

    @contextmanager
    def _adding(self) -> Iterator[None]:
        """The right to change the archive, which is in order, and calibrated afterwards."""
        with writing(self._home):
            self._index.check()
            self._put_right()
            yield
            self._calibration.keep_up()

    def _line(self, candidate: Candidate | SourceError, collection: str, progress: Progress | None) -> Indexed:
        try:
            return self._taken(candidate, collection, progress)
        except (AfterimageError, OSError) as error:
            return Indexed(candidate.name, Outcome.FAILED, reason=str(error))

    def _taken(self, candidate: Candidate | SourceError, collection: str, progress: Progress | None) -> Indexed:
        if isinstance(candidate, SourceError):
            return Indexed(candidate.name, Outcome.FAILED, reason=candidate.reason)
        try:
            return self._one(candidate, collection, None if progress is None else partial(progress, candidate.name))
        except SourceError as error:
            if isinstance(error, UnsupportedMedia) and not candidate.expected:
                return Indexed(candidate.name, Outcome.PASSED_OVER, reason=error.reason)
            return Indexed(candidate.name, Outcome.FAILED, reason=error.reason)

    def _one(self, candidate: Candidate, collection: str, progress: Report | None) -> Indexed:
        state, pipeline = candidate.state(), self._pipeline()
        before = self._catalog.source(collection, candidate.uri)
        if before is not None and before.state == f"{state}@{pipeline.version}":
            return Indexed(candidate.name, Outcome.UNCHANGED, self._catalog.get([before.asset_id])[before.asset_id])
        manifest = self._made(candidate, pipeline, progress)
        asset = _asset(candidate, manifest)
        if candidate.state() != state:
            asset = replace(asset, warnings=(*asset.warnings, _WRITTEN_TO))
        source = SourceRow(collection, candidate.uri, asset.asset_id, f"{state}@{pipeline.version}")
        known = self._catalog.get([asset.asset_id]).get(asset.asset_id)
        if known is not None and known.version == asset.version and self._holds(self._tags(asset, collection)):
            asset = known
        else:
            asset = replace(asset, segments=self._index.put(self._tags(asset, collection), pipeline.batches(manifest)))
        self._switch(source, asset)
        return Indexed(candidate.name, _outcome(before, known, asset), asset, "; ".join(asset.warnings))

    def _holds(self, tags: AssetTags) -> bool:
        """Tag an asset that is in the index; False where it is not (a reindex left it out as damaged)."""
        try:
            self._index.tag(tags)
        except AssetNotFound:
            return False
        return True

    def _made(self, candidate: Candidate, pipeline: Pipeline, progress: Report | None) -> Manifest:
        """The artifacts of a file: made now, or found, where the same bytes were indexed before."""
        sidecars = candidate.sidecars()
        try:
            key = asset_id(candidate.path, sidecars)
        except OSError as error:
            raise SourceNotFound(str(candidate.path), f"cannot be read ({error.strerror})") from error
        if self._artifacts.complete(key, pipeline.version):
            return self._artifacts.manifest(key, pipeline.version)
        info = self._media.probe(candidate.path)
        return pipeline.run(Source(candidate.path, key, info, sidecars), progress)

    def _switch(self, source: SourceRow, asset: Asset) -> None:
        """Make the new state visible, then clear away what it replaced."""
        replaced = self._catalog.point(source, asset)
        for version in self._artifacts.versions(asset.asset_id):
            if version != asset.version:
                self._artifacts.delete(asset.asset_id, version)
        if replaced is not None:
            self._drop_or_tag(replaced)

    def _drop_or_tag(self, replaced: str) -> None:
        if self._catalog.sources(replaced):
            self._holds(self._tags(self._catalog.get([replaced])[replaced]))
        else:
            self._remove(replaced)

    def _remove(self, key: str) -> tuple[int, int]:
        segments = self._index.remove(key)
        files = self._artifacts.delete(key)
        self._catalog.forget(key)
        return segments, files

    def _put_right(self) -> None:
        """Clear away what a crash left between two steps: assets without a source, index rows without an asset."""
        for key in self._catalog.orphans():
            self._remove(key)
        known = {asset.asset_id for asset in self._catalog.assets()}
        for key in self._index.counts():
            if key not in known:
                self._index.remove(key)

    def _tags(self, asset: Asset, *more: str) -> AssetTags:
        held = {source.collection for source in self._catalog.sources(asset.asset_id)}
        return AssetTags(asset.asset_id, asset.kind, frozenset({*held, *more}), asset.file_time)


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
