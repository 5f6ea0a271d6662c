"""Reader of the stored texts of an asset: what is written and spoken in it, in order."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.storage.artifacts import ArtifactStore
from indexer.types import Origin, Segment
from services.catalog.types import Asset


def read_texts(artifacts: ArtifactStore, asset: Asset, page: int | None = None) -> Iterator[Segment]:
    """Yield the text segments of an asset, or of one page of a document. Errors: ArtifactError if some are damaged."""
    manifest = artifacts.read_manifest(asset.asset_id, asset.version)
    for record, _ in artifacts.read_checkpoints(manifest):
        for segment in record.segments:
            is_text = segment.origin not in (Origin.PICTURE, Origin.METADATA)
            if is_text and (page is None or segment.page == page):
                yield segment
