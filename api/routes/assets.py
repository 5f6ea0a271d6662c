"""`/v1/assets`: what is indexed, what is known of it, what is remembered of a video."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.auth import Reader, Writer
from api.bodies import AssetId, Name
from api.job_shapes import JobShape
from api.problems import problem_responses
from api.replies import AssetDetail, FrameShape, PageShape
from api.schemas import AssetShape, MemoryShape, memory_shape
from api.server import Served, Server
from api.visible import asset_of, collection_of, collections_of, holding
from indexer.types import AssetKind
from services.catalog import Asset
from services.jobs.types import DeleteRequest, NewJob
from services.rights import Rights

router = APIRouter(prefix="/v1/assets", tags=["assets"])
Id = Annotated[AssetId, Path(description="The asset's id, in full.")]
Collection = Annotated[Name | None, Query(description="Only of this collection.")]
Limit = Annotated[int, Query(ge=1, le=500, description="Items of a part at most.")]
After = Annotated[
    str | None, Query(max_length=200, description="Where the part before this one ended, as it was given.")
]


@router.get("", response_model=PageShape[AssetShape], responses=problem_responses(404, 503))
async def list_assets(
    served: Served, rights: Reader, collection: Collection = None, after: After = None, limit: Limit = 100
) -> PageShape[AssetShape]:
    """What is indexed, newest first."""

    def page() -> PageShape[AssetShape]:
        catalog = served.container.catalog
        where = None if rights.collections is None else list(collections_of(catalog, rights))
        if collection is not None:
            where = [collection_of(catalog, rights, collection)]
        found = catalog.page(where, after, limit)
        return PageShape(items=[AssetShape.of(asset) for asset in found.items], after=found.after)

    return await served.turns.lookups.take(page)


@router.get("/{asset_id}", response_model=AssetDetail, responses=problem_responses(404, 503))
async def show_asset(served: Served, rights: Reader, asset_id: Id) -> AssetDetail:
    """All that is known of an asset, and the slots of a video's memory."""
    return await served.turns.lookups.take(lambda: _detail(served, rights, asset_id))


@router.get("/{asset_id}/memory", response_model=MemoryShape | None, responses=problem_responses(404, 503))
async def show_memory(served: Served, rights: Reader, asset_id: Id) -> MemoryShape | None:
    """The slots of a video's memory, lane by lane; null where it has none."""
    return await served.turns.lookups.take(
        lambda: _memory(served, asset_of(served.container.catalog, rights, asset_id))
    )


@router.get("/{asset_id}/frames", response_model=PageShape[FrameShape], responses=problem_responses(404, 503))
async def list_frames(
    served: Served, rights: Reader, asset_id: Id, after: After = None, limit: Limit = 100
) -> PageShape[FrameShape]:
    """The stored key frames of a video, in order of time; `/v1/assets/{asset_id}/frames/{start_s}` is the picture."""

    def page() -> PageShape[FrameShape]:
        asset = asset_of(served.container.catalog, rights, asset_id)
        seen = asset.kind is AssetKind.VIDEO and asset.width is not None
        frames = served.container.remembering.key_frames(asset) if seen else ()
        first = int(after) if after is not None and after.isdecimal() else 0
        items = [FrameShape.of(frame) for frame in frames[first : first + limit]]
        return PageShape(items=items, after=str(first + limit) if first + limit < len(frames) else None)

    return await served.turns.lookups.take(page)


@router.delete(
    "/{asset_id}", response_model=list[JobShape], status_code=202, responses=problem_responses(403, 404, 503)
)
async def delete_asset(served: Served, rights: Writer, asset_id: Id, collection: Collection = None) -> list[JobShape]:
    """Remove an asset from one collection, or from all that the key sees: a job for each, or one for all of them. With
    the last collection that holds it, all its data goes."""
    return await served.turns.lookups.take(lambda: _delete(served, rights, asset_id, collection))


def _detail(server: Server, rights: Rights, asset_id: str) -> AssetDetail:
    catalog = server.container.catalog
    asset = asset_of(catalog, rights, asset_id)
    return AssetDetail(
        **AssetShape.of(asset).model_dump(),
        memory=_memory(server, asset),
        version=asset.version,
        collections=holding(catalog, rights, asset),
        indexed_at=asset.indexed_at,
        file_time=asset.file_time,
    )


def _memory(server: Server, asset: Asset) -> MemoryShape | None:
    remembering = server.container.remembering
    memory = remembering.memory(asset)
    return (
        None if memory is None else memory_shape(memory, {lane: remembering.tree(asset, lane) for lane in memory.lanes})
    )


def _delete(server: Server, rights: Rights, asset_id: str, collection: str | None) -> list[JobShape]:
    catalog = server.container.catalog
    asset = asset_of(catalog, rights, asset_id)
    doomed: list[str | None] = [None]
    if collection is not None:
        doomed = [collection_of(catalog, rights, collection)]
    elif rights.collections is not None:
        doomed = [*holding(catalog, rights, asset)]
    asked = [NewJob(DeleteRequest(asset.asset_id), one, rights.key_id) for one in doomed]
    return [JobShape.of(server.container.dispatch.submit(new)) for new in asked]
