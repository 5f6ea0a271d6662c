"""Routes `/v1/collections`: list, describe, create and delete collections."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.http.auth import ReadAccess, WriteAccess
from api.http.context import Context
from api.http.problems import problem_responses
from api.http.slots import LookupSlot
from api.schemas.requests import CollectionName
from api.schemas.responses import CollectionShape
from services.access.scoping import count_assets_by_collection, require_collection
from services.catalog.errors import CollectionExists, CollectionNotFound

router = APIRouter(prefix="/v1/collections", tags=["collections"])
CollectionNameParam = Annotated[CollectionName, Path(description="The collection's name.")]


@router.get("", response_model=list[CollectionShape], responses=problem_responses(503))
def list_collections(context: Context, permissions: ReadAccess, _slot: LookupSlot) -> list[CollectionShape]:
    """List collections by name, with the number of assets in each."""
    counts = count_assets_by_collection(context.container.catalog, permissions)
    return [CollectionShape(name=name, assets=count) for name, count in counts.items()]


@router.get("/{collection}", response_model=CollectionShape, responses=problem_responses(404, 503))
def show_collection(
    context: Context, permissions: ReadAccess, collection: CollectionNameParam, _slot: LookupSlot
) -> CollectionShape:
    """Describe a collection."""
    name = require_collection(context.container.catalog, permissions, collection)
    return CollectionShape(name=name, assets=count_assets_by_collection(context.container.catalog, permissions)[name])


@router.put("/{collection}", status_code=204, response_class=Response, responses=problem_responses(403, 404, 503))
def create_collection(
    context: Context, permissions: WriteAccess, collection: CollectionNameParam, _slot: LookupSlot
) -> Response:
    """Create a collection, unless one of that name exists."""
    if not permissions.allows(collection):
        raise CollectionNotFound(f"no collection {collection!r}")
    with suppress(CollectionExists):
        context.container.catalog.create_collection(collection)
    return Response(status_code=204)


@router.delete(
    "/{collection}", status_code=204, response_class=Response, responses=problem_responses(403, 404, 409, 503)
)
def delete_collection(
    context: Context, permissions: WriteAccess, collection: CollectionNameParam, _slot: LookupSlot
) -> Response:
    """Delete an empty collection."""
    catalog = context.container.catalog
    catalog.delete_collection(require_collection(catalog, permissions, collection))
    return Response(status_code=204)
