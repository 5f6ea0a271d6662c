"""What the catalog knows of many files, looked up for a few hundred at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from indexer.errors import SourceError
from services.catalog.catalog import Catalog
from services.catalog.types import Asset, Source
from services.ingest.file_discovery import DiscoveredFile, SubtitleFile

_BATCH_FILES = 250
"""Chosen: a query for so many costs little more than one for one; databases limit the parameters of a statement."""
_MAX_AGE_S = 1.0
"""Chosen: other processes change the catalog, too; where a file before took longer, the rest is looked up again."""


@dataclass(frozen=True, slots=True)
class KnownSource:
    """A source that was indexed before, with its asset."""

    source: Source
    asset: Asset


class KnownSources:
    """Looks up discovered files in the catalog, as they are taken up, without a query for each."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def look_up(
        self, collection: str, files: Iterable[DiscoveredFile | SubtitleFile | SourceError]
    ) -> Iterator[tuple[DiscoveredFile | SubtitleFile | SourceError, KnownSource | None]]:
        """Yield each file with what was known of it in a collection within the last second; None for new ones."""
        remaining = iter(files)
        while batch := list(islice(remaining, _BATCH_FILES)):
            uris = [file.uri if isinstance(file, DiscoveredFile) else "" for file in batch]
            known: dict[str, KnownSource] = {}
            looked_up_at = float("-inf")
            for number, (file, uri) in enumerate(zip(batch, uris, strict=True)):
                if time.monotonic() - looked_up_at > _MAX_AGE_S:
                    known, looked_up_at = self._fetch(collection, uris[number:]), time.monotonic()
                yield file, known.get(uri)

    def _fetch(self, collection: str, uris: Sequence[str]) -> dict[str, KnownSource]:
        sources = self._catalog.find_sources(collection, uris)
        assets = self._catalog.get({source.asset_id for source in sources.values()}) if sources else {}
        return {
            uri: KnownSource(source, assets[source.asset_id])
            for uri, source in sources.items()
            if source.asset_id in assets
        }
