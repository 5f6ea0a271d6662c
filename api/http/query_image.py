"""Pictures of queries: decoded before the slot of a search is waited for, so that they hold up no text search."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from api.http.auth import ReadAccess
from api.http.context import AppContext, Context
from api.schemas.requests import SearchBody
from indexer.types import Pixels


async def decode_query_image(context: AppContext, data: bytes) -> Pixels:
    """Decode an image file once a slot is free. Errors: Overloaded, UnsupportedMedia, DamagedMedia, LimitExceeded."""
    return await context.limits.query_images.run(context.container.query_images.decode, data)


async def _decode_image_of_search(context: Context, _permissions: ReadAccess, body: SearchBody) -> Pixels | None:
    """Return the decoded picture of a search; None where it has none."""
    return None if body.image is None else await decode_query_image(context, body.image)


QueryImageParam = Annotated[Pixels | None, Depends(_decode_image_of_search)]
"""The picture of a search, as a parameter of its route."""
