"""JSON shapes of the MCP tools alone; hits, answers and summaries are in `api/schemas/results.py`."""

from __future__ import annotations

from collections.abc import Set
from typing import Annotated

from pydantic import Field

from api.schemas.requests import Body, Seconds, UtcDatetime
from api.schemas.results import AssetShape, Shape
from indexer.types import AssetKind, SegmentFilter


class McpFilter(Body):
    """Where to look."""

    collections: Annotated[frozenset[str] | None, Field(description="Only in these collections.")] = None
    kinds: Annotated[frozenset[AssetKind] | None, Field(description="Only at these kinds of assets.")] = None
    assets: Annotated[
        frozenset[str] | None, Field(description="Only in these assets: ids (or how they begin) or names.")
    ] = None
    start_s: Annotated[Seconds | None, Field(description="Only what a video shows after this time, in seconds.")] = None
    end_s: Annotated[Seconds | None, Field(description="Only what a video shows before this time, in seconds.")] = None
    after: Annotated[UtcDatetime | None, Field(description="Only files of this date or later.")] = None
    before: Annotated[UtcDatetime | None, Field(description="Only files older than this date.")] = None

    def to_segment_filter(self, asset_ids: Set[str] | None) -> SegmentFilter:
        """Return the filter of the services, with the ids of the assets that this one names."""
        return SegmentFilter(
            collections=self.collections or None,
            kinds=self.kinds or None,
            assets=frozenset(asset_ids) if asset_ids else None,
            start_s=self.start_s,
            end_s=self.end_s,
            file_after=None if self.after is None else self.after.timestamp(),
            file_before=None if self.before is None else self.before.timestamp(),
        )


NO_FILTER = McpFilter()


class AssetListShape(Shape):
    """A part of the list of assets, newest first. `after` asks for the part that follows; null: this was the last.
    `collections`: those there are, and how many assets each holds."""

    assets: list[AssetShape]
    after: str | None
    collections: dict[str, int]


class PictureShape(Shape):
    """What a picture shows: the time `[start_s, end_s)` of a video that a frame stands for, or the page of a document;
    `text`: the words that were read in a frame."""

    asset: str
    name: str
    kind: str
    start_s: float | None
    end_s: float | None
    page: int | None
    text: str
