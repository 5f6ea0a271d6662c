"""`/v1/collections`."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Reader
from api.problems import problem_responses
from api.replies import CollectionShape
from api.server import Served
from api.visible import collections_of

router = APIRouter(prefix="/v1/collections", tags=["collections"])


@router.get("", response_model=list[CollectionShape], responses=problem_responses(503))
async def list_collections(served: Served, rights: Reader) -> list[CollectionShape]:
    """The collections, by name, and how many assets each holds."""
    there = await served.turns.lookups.take(lambda: collections_of(served.container.catalog, rights))
    return [CollectionShape(name=name, assets=count) for name, count in sorted(there.items())]
