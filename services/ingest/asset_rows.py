"""The catalog's row of a file that was indexed."""

from __future__ import annotations

from indexer.storage.artifacts import Manifest
from services.catalog.types import Asset
from services.database.clock import now
from services.ingest.file_discovery import DiscoveredFile


def make_asset(file: DiscoveredFile, manifest: Manifest) -> Asset:
    """Return the asset of a file, indexed now. Errors: SourceNotFound where the file went away meanwhile."""
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
        file_time=info.taken_at or file.modified_at(),
        segments=manifest.segments,
        sampled_frames=manifest.sampled_frames,
        warnings=manifest.warnings,
        indexed_at=now(),
    )
