"""`/v1/collections`."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.http.auth import ReadAccess, WriteAccess
from api.http.context import Context
from api.http.problems import problem_responses
from api.schemas.requests import CollectionName
from api.schemas.responses import CollectionShape
from services.access.scoping import count_assets_by_collection, require_collection
from services.catalog.errors import CollectionExists, CollectionNotFound

router = APIRouter(prefix="/v1/collections", tags=["collections"])
CollectionNameParam = Annotated[CollectionName, Path(description="The collection's name.")]


@router.get("", response_model=list[CollectionShape], responses=problem_responses(503))
async def list_collections(context: Context, permissions: ReadAccess) -> list[CollectionShape]:
    """The collections, by name, and how many assets each holds."""
    counts = await context.limits.lookups.run(
        lambda: count_assets_by_collection(context.container.catalog, permissions)
    )
    return [CollectionShape(name=name, assets=count) for name, count in counts.items()]


@router.get("/{collection}", response_model=CollectionShape, responses=problem_responses(404, 503))
async def show_collection(
    context: Context, permissions: ReadAccess, collection: CollectionNameParam
) -> CollectionShape:
    """A collection."""

    def show() -> CollectionShape:
        name = require_collection(context.container.catalog, permissions, collection)
        return CollectionShape(
            name=name, assets=count_assets_by_collection(context.container.catalog, permissions)[name]
        )

    return await context.limits.lookups.run(show)


@router.put("/{collection}", status_code=204, response_class=Response, responses=problem_responses(403, 404, 503))
async def create_collection(context: Context, permissions: WriteAccess, collection: CollectionNameParam) -> Response:
    """Make a collection, unless there is one of that name."""

    def create() -> Response:
        if not permissions.allows(collection):
            raise CollectionNotFound(f"no collection {collection!r}")
        with suppress(CollectionExists):
            context.container.catalog.create_collection(collection)
        return Response(status_code=204)

    return await context.limits.lookups.run(create)


@router.delete(
    "/{collection}", status_code=204, response_class=Response, responses=problem_responses(403, 404, 409, 503)
)
async def delete_collection(context: Context, permissions: WriteAccess, collection: CollectionNameParam) -> Response:
    """Remove a collection that holds nothing."""

    def delete() -> Response:
        context.container.catalog.delete_collection(
            require_collection(context.container.catalog, permissions, collection)
        )
        return Response(status_code=204)

    return await context.limits.lookups.run(delete)
