"""Find the sources whose files are gone, mark them in the catalog, and remove what has no source left."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from services.catalog.catalog import Catalog
from services.catalog.types import Asset, Source
from services.ingest.ports import Locks
from services.ingest.stored_assets import StoredAssets
from services.search.calibration import Calibration

_CHUNK_ROWS = 500
"""Form: rows of one statement; databases limit the number of its parameters."""


@dataclass(frozen=True, slots=True)
class MissingSource:
    """A source whose file is gone, with its asset; `is_last`: the asset has no source that is there, anywhere."""

    source: Source
    asset: Asset
    is_last: bool


class MissingSources:
    """Keeps the catalog in step with files that go away.

    A file that is gone is only marked; its asset is still searched, and said to be gone, until `prune` removes it.
    """

    def __init__(self, locks: Locks, stored: StoredAssets, catalog: Catalog, calibration: Calibration) -> None:
        self._locks, self._stored, self._catalog, self._calibration = locks, stored, catalog, calibration

    def refresh(self, collection: str, path: Path, seen: Set[str] = frozenset()) -> list[MissingSource]:
        """Mark the sources at a path or below it whose files are gone, and unmark those that are back; return the gone.

        `seen` are URIs of files that are known to be there. A path that is not there at all marks only its own source:
        the disk of a folder may be elsewhere. Errors: those of the catalog.
        """
        below = self._catalog.sources_below(collection, _to_uri(path))
        if not path.exists():
            below = [source for source in below if source.uri == _to_uri(path)]
        return self._mark(below, seen)

    def find(self, collections: Sequence[str] | None, paths: Sequence[Path] = ()) -> list[MissingSource]:
        """Mark and return the missing sources of some collections (None: all), below some paths (none: everywhere)."""
        uris: list[str | None] = [_to_uri(path) for path in paths] or [None]
        names = list(self._catalog.collections()) if collections is None else collections
        known = {
            (source.collection, source.uri): source
            for name in names
            for uri in uris
            for source in self._catalog.sources_below(name, uri)
        }
        return self._mark(list(known.values()), frozenset())

    def all_missing(self, collections: Sequence[str] | None, paths: Sequence[Path] = ()) -> list[str]:
        """Return the collections or paths of which every file, of two or more, is gone: a disk may be missing."""
        places: list[tuple[str, str | None, str | None]] = [(str(path), None, _to_uri(path)) for path in paths] or [
            (name, name, None) for name in (self._catalog.collections() if collections is None else collections)
        ]
        doubtful = []
        for name, collection, uri in places:
            sources = self._catalog.sources_below(collection, uri)
            if len(sources) > 1 and all(source.missing_since is not None for source in sources):
                doubtful.append(name)
        return doubtful

    def count_present(self, collection: str, path: Path) -> int:
        """Return the number of sources at a path or below it that nobody has found to be gone."""
        sources = self._catalog.sources_below(collection, _to_uri(path))
        return sum(source.missing_since is None for source in sources)

    def prune(self, missing: Sequence[MissingSource], timeout_s: float = 0.0) -> Iterator[MissingSource]:
        """Forget missing sources, and erase the assets that have none left; yield each that was forgotten.

        A file that is back meanwhile is left alone. Errors: WriteLockTimeout; what was yielded is done.
        """
        for entry in missing:
            source = entry.source
            with self._locks.write_lock(source.asset_id, timeout_s):
                if not is_missing(source):
                    continue
                self._catalog.remove_source(source.collection, source.uri)
                self._stored.retag_or_erase(source.asset_id)
            yield entry
        self._calibration.refresh_if_stale()

    def _mark(self, sources: Sequence[Source], seen: Set[str]) -> list[MissingSource]:
        gone = [source for source in sources if source.uri not in seen and is_missing(source)]
        gone_keys = {(source.collection, source.uri) for source in gone}
        back = [s for s in sources if s.missing_since is not None and (s.collection, s.uri) not in gone_keys]
        for group, is_gone in (([s for s in gone if s.missing_since is None], True), (back, False)):
            for collection in {source.collection for source in group}:
                for uris in _chunks([source.uri for source in group if source.collection == collection]):
                    self._catalog.mark_missing(collection, uris, is_gone)
        assets: dict[str, Asset] = {}
        for asset_ids in _chunks([source.asset_id for source in gone]):
            assets |= self._catalog.get(asset_ids)
        return [
            MissingSource(source, asset, asset.missing_since is not None)
            for source in gone
            if (asset := assets.get(source.asset_id)) is not None
        ]


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _CHUNK_ROWS):
        yield values[start : start + _CHUNK_ROWS]


def is_missing(source: Source) -> bool:
    """Return True if the file of a `file:` source is gone; False where that cannot be seen, or it is no file."""
    if not source.uri.startswith("file:"):
        return False
    try:
        Path(unquote(urlsplit(source.uri).path)).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _to_uri(path: Path) -> str:
    """Return the URI of a path with its links resolved; a link into a cycle stays as it is."""
    return Path(os.path.realpath(path)).as_uri()
