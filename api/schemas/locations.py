"""Places in assets as people write them."""

from __future__ import annotations

from indexer.types import AssetKind
from services.generators.timestamps import format_short_timestamp


def format_location(kind: AssetKind, start_s: float | None, end_s: float | None, page: int | None) -> str:
    """Format a place in an asset: `0:12–0:20`, `page 7`, or nothing for an image."""
    if kind is AssetKind.VIDEO and start_s is not None:
        return f"{format_short_timestamp(start_s)}–{format_short_timestamp(end_s)}"
    return f"page {page}" if page is not None else ""
