"""`/v1/collections`."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.auth import Reader, Writer
from api.bodies import Name
from api.problems import problem_responses
from api.replies import CollectionShape
from api.server import Served
from api.visible import collection_of, collections_of
from indexer.errors import CollectionExists, CollectionNotFound

router = APIRouter(prefix="/v1/collections", tags=["collections"])
Named = Annotated[Name, Path(description="The collection's name.")]


@router.get("", response_model=list[CollectionShape], responses=problem_responses(503))
async def list_collections(served: Served, rights: Reader) -> list[CollectionShape]:
    """The collections, by name, and how many assets each holds."""
    there = await served.turns.lookups.take(lambda: collections_of(served.container.catalog, rights))
    return [CollectionShape(name=name, assets=count) for name, count in there.items()]


@router.get("/{collection}", response_model=CollectionShape, responses=problem_responses(404, 503))
async def show_collection(served: Served, rights: Reader, collection: Named) -> CollectionShape:
    """A collection."""

    def show() -> CollectionShape:
        name = collection_of(served.container.catalog, rights, collection)
        return CollectionShape(name=name, assets=collections_of(served.container.catalog, rights)[name])

    return await served.turns.lookups.take(show)


@router.put("/{collection}", status_code=204, response_class=Response, responses=problem_responses(403, 404, 503))
async def make_collection(served: Served, rights: Writer, collection: Named) -> Response:
    """Make a collection, unless there is one of that name."""

    def make() -> Response:
        if not rights.sees(collection):
            raise CollectionNotFound(f"no collection {collection!r}")
        with suppress(CollectionExists):
            served.container.catalog.create_collection(collection)
        return Response(status_code=204)

    return await served.turns.lookups.take(make)


@router.delete(
    "/{collection}", status_code=204, response_class=Response, responses=problem_responses(403, 404, 409, 503)
)
async def drop_collection(served: Served, rights: Writer, collection: Named) -> Response:
    """Remove a collection that holds nothing."""

    def drop() -> Response:
        served.container.catalog.drop_collection(collection_of(served.container.catalog, rights, collection))
        return Response(status_code=204)

    return await served.turns.lookups.take(drop)
