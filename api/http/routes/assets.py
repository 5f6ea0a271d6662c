"""Routes `/v1/assets`: list, describe and delete assets; key frames and memory of a video."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.http.auth import ReadAccess, WriteAccess
from api.http.context import AppContext, Context
from api.http.problems import problem_responses
from api.http.slots import LookupSlot
from api.schemas.jobs import JobShape
from api.schemas.requests import AssetId, CollectionName
from api.schemas.responses import AssetDetail, FrameShape, PageShape, TextShape
from api.schemas.results import AssetShape, AssetWithMemory, MemoryShape, build_memory_shape
from indexer.types import AssetKind
from services.access.scoping import collections_holding, count_assets_by_collection, require_asset, require_collection
from services.catalog.stated_metadata import read_stated_metadata
from services.catalog.stored_texts import read_texts
from services.catalog.types import Asset
from services.jobs.types import DeleteRequest, NewJob

router = APIRouter(prefix="/v1/assets", tags=["assets"])
_MAX_TEXTS = 10**9
"""Form: more texts than any asset has."""
AssetIdParam = Annotated[AssetId, Path(description="The asset's id, in full.")]
CollectionParam = Annotated[CollectionName | None, Query(description="Only of this collection.")]
LimitParam = Annotated[int, Query(ge=1, le=500, description="Items of a part at most.")]
AfterParam = Annotated[
    str | None, Query(max_length=200, description="Where the part before this one ended, as it was given.")
]


@router.get("", response_model=PageShape[AssetShape], responses=problem_responses(404, 503))
def list_assets(
    context: Context,
    permissions: ReadAccess,
    _slot: LookupSlot,
    collection: CollectionParam = None,
    name: Annotated[str, Query(max_length=500, description="Only those whose names hold this, in any case.")] = "",
    after: AfterParam = None,
    limit: LimitParam = 100,
) -> PageShape[AssetShape]:
    """List assets, newest first, in pages."""
    catalog = context.container.catalog
    collections = None if permissions.collections is None else list(count_assets_by_collection(catalog, permissions))
    if collection is not None:
        collections = [require_collection(catalog, permissions, collection)]
    assets = catalog.list_page(collections, after, limit, name)
    return PageShape(items=[AssetShape.of(asset) for asset in assets.items], after=assets.next_cursor)


@router.get("/{asset_id}", response_model=AssetDetail, responses=problem_responses(404, 503))
def show_asset(context: Context, permissions: ReadAccess, asset_id: AssetIdParam, _slot: LookupSlot) -> AssetDetail:
    """Describe an asset in full, with the memory of a video."""
    catalog = context.container.catalog
    asset = require_asset(catalog, permissions, asset_id)
    stated = read_stated_metadata(context.container.artifacts, asset)
    return AssetDetail(
        **AssetWithMemory.with_memory(asset, _load_memory(context, asset), stated).model_dump(),
        version=asset.version,
        collections=collections_holding(catalog, permissions, asset),
        indexed_at=asset.indexed_at,
    )


@router.get("/{asset_id}/memory", response_model=MemoryShape | None, responses=problem_responses(404, 503))
def show_memory(
    context: Context, permissions: ReadAccess, asset_id: AssetIdParam, _slot: LookupSlot
) -> MemoryShape | None:
    """List the slots of a video's memory by lane; null where it has no memory."""
    return _load_memory(context, require_asset(context.container.catalog, permissions, asset_id))


@router.get("/{asset_id}/frames", response_model=PageShape[FrameShape], responses=problem_responses(404, 503))
def list_frames(
    context: Context,
    permissions: ReadAccess,
    asset_id: AssetIdParam,
    _slot: LookupSlot,
    after: AfterParam = None,
    limit: LimitParam = 100,
) -> PageShape[FrameShape]:
    """List the stored key frames of a video by time; `/v1/assets/{asset_id}/frames/{start_s}` is the picture."""
    asset = require_asset(context.container.catalog, permissions, asset_id)
    has_frames = asset.kind is AssetKind.VIDEO and asset.width is not None
    frames = context.container.video_memory.key_frames(asset) if has_frames else ()
    first = int(after) if after is not None and after.isdecimal() else 0
    items = [FrameShape.of(frame) for frame in frames[first : first + limit]]
    return PageShape(items=items, after=str(first + limit) if first + limit < len(frames) else None)


@router.get("/{asset_id}/texts", response_model=PageShape[TextShape], responses=problem_responses(404, 503))
def list_texts(
    context: Context,
    permissions: ReadAccess,
    asset_id: AssetIdParam,
    _slot: LookupSlot,
    page: Annotated[int | None, Query(ge=1, le=1_000_000, description="Only of this page of a document.")] = None,
    after: AfterParam = None,
    limit: LimitParam = 100,
) -> PageShape[TextShape]:
    """List what is written and spoken in an asset, in order: the transcript of a video, the passages of a page."""
    asset = require_asset(context.container.catalog, permissions, asset_id)
    first = min(int(after), _MAX_TEXTS) if after is not None and after.isdecimal() else 0
    texts = list(islice(read_texts(context.container.artifacts, asset, page), first, first + limit + 1))
    following = str(first + limit) if len(texts) > limit else None
    return PageShape(items=[TextShape.of(text) for text in texts[:limit]], after=following)


@router.delete(
    "/{asset_id}", response_model=list[JobShape], status_code=202, responses=problem_responses(403, 404, 503)
)
def delete_asset(
    context: Context,
    permissions: WriteAccess,
    asset_id: AssetIdParam,
    _slot: LookupSlot,
    collection: CollectionParam = None,
) -> list[JobShape]:
    """Remove an asset from one collection, or from all that the key may access, by jobs. With the last collection that
    holds it, all its data is deleted."""
    catalog = context.container.catalog
    asset = require_asset(catalog, permissions, asset_id)
    collections: list[str | None] = [None]
    if collection is not None:
        collections = [require_collection(catalog, permissions, collection)]
    elif permissions.collections is not None:
        collections = [*collections_holding(catalog, permissions, asset)]
    new_jobs = [NewJob(DeleteRequest(asset.asset_id), name, permissions.key_id) for name in collections]
    return [JobShape.of(context.container.background.dispatcher.submit(new)) for new in new_jobs]


def _load_memory(context: AppContext, asset: Asset) -> MemoryShape | None:
    video_memory = context.container.video_memory
    memory = video_memory.memory(asset)
    if memory is None:
        return None
    return build_memory_shape(memory, {lane: video_memory.merge_tree(asset, lane) for lane in memory.lanes})
