"""What the file of an asset says about itself: where its date comes from, and its titles, captions and keywords."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.errors import ArtifactError
from indexer.storage.artifacts import ArtifactStore
from services.catalog.types import Asset

_FILE_DATE = "last change of the file"


@dataclass(frozen=True, slots=True)
class StatedMetadata:
    """Statements of a file: the field that its date was taken from, and lines of text (`Title: …`).

    `date_source` is empty where it is not known: for assets that were indexed before it was stored.
    """

    date_source: str
    lines: tuple[str, ...]


def read_stated_metadata(artifacts: ArtifactStore, asset: Asset) -> StatedMetadata:
    """Return what the file of an asset says about itself, from its manifest; nothing where that is damaged."""
    try:
        info = artifacts.read_manifest(asset.asset_id, asset.version).info
    except ArtifactError:
        return StatedMetadata("", ())
    if asset.file_time is None:
        return StatedMetadata("", info.metadata)
    return StatedMetadata(_FILE_DATE if info.taken_at is None else info.date_source, info.metadata)
