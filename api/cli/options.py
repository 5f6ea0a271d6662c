"""Options that several commands share, and the filter that they make."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from indexer.types import AssetKind, SegmentFilter
from services.catalog.catalog import Catalog

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")]
CollectionsOption = Annotated[
    list[str] | None, typer.Option("--collection", "-c", help="Look only in this collection (repeatable).")
]
KindsOption = Annotated[
    list[AssetKind] | None, typer.Option("--kind", "-k", help="Look only at this kind (repeatable).")
]
AssetsOption = Annotated[
    list[str] | None, typer.Option("--asset", "-a", help="Look only in this asset: id, name or path (repeatable).")
]
FromOption = Annotated[
    float | None, typer.Option("--from", metavar="SECONDS", help="Only what is shown after this time.")
]
ToOption = Annotated[float | None, typer.Option("--to", metavar="SECONDS", help="Only what is shown before this time.")]
AfterOption = Annotated[
    datetime | None,
    typer.Option("--after", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Only files of this date or later."),
]
BeforeOption = Annotated[
    datetime | None,
    typer.Option("--before", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Only files older than this date."),
]


def make_filter(
    catalog: Catalog,
    collections: list[str] | None,
    kinds: list[AssetKind] | None,
    assets: list[str] | None,
    start_s: float | None,
    end_s: float | None,
    after: datetime | None,
    before: datetime | None,
) -> SegmentFilter:
    """Build the filter that the options describe. Errors: AssetNotFound, CollectionNotFound."""
    if collections:
        catalog.assets(collections)
    return SegmentFilter(
        collections=frozenset(collections) if collections else None,
        kinds=frozenset(kinds) if kinds else None,
        assets=frozenset(catalog.find(name).asset_id for name in assets) if assets else None,
        start_s=start_s,
        end_s=end_s,
        file_after=after.timestamp() if after else None,
        file_before=before.timestamp() if before else None,
    )
