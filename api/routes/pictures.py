"""Frames, page pictures and photos, as they were stored when the asset was indexed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Response

from api.auth import Reader
from api.bodies import Seconds
from api.problems import problem_responses
from api.routes.assets import Id
from api.server import Served, Server
from api.visible import asset_of
from indexer.media.jpeg import as_shown
from indexer.types import PictureRef
from services.catalog import Asset
from services.rights import Rights

router = APIRouter(prefix="/v1/assets/{asset_id}", tags=["pictures"])
_FOR_EVER, _ASK_AGAIN = "private, max-age=31536000, immutable", "private, no-cache"
_SHOWS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The picture", "content": {"image/jpeg": {}, "image/webp": {}}},
    304: {"description": "It is what the client has"},
    **problem_responses(404, 503),
}
_TELLS = _SHOWS | {200: {"description": "What a GET would give: its kind, its length"}}
Choose = Callable[[Server, Asset], PictureRef]


class Form(StrEnum):
    """What a picture is encoded as."""

    JPEG = "jpeg"
    WEBP = "webp"


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a picture is asked for."""

    max_px: Annotated[int | None, Query(ge=16, le=4096, description="The longer side at most; never scaled up.")] = None
    form: Annotated[Form, Query(alias="format", description="What it is encoded as.")] = Form.JPEG
    version: Annotated[
        str | None, Query(max_length=64, description="The asset's version: caches may then keep the picture for ever.")
    ] = None
    if_none_match: Annotated[str | None, Header(description="What the client has.")] = None

    def tag(self, ref: PictureRef) -> str:
        """A strong ETag: artifacts of a version never change."""
        facts = f"{ref.key}:{ref.offset}:{ref.length}:{self.max_px}:{self.form}"
        return f'"{hashlib.sha256(facts.encode()).hexdigest()[:32]}"'

    def is_known(self, tag: str) -> bool:
        """Whether the client has it."""
        known = [one.strip().removeprefix("W/") for one in (self.if_none_match or "").split(",")]
        return tag in known or "*" in known


Asked = Annotated[Wanted, Depends()]


@router.head("/frames/{time_s}", response_class=Response, responses=_TELLS)
@router.get("/frames/{time_s}", response_class=Response, responses=_SHOWS)
async def show_frame(
    served: Served,
    rights: Reader,
    asset_id: Id,
    time_s: Annotated[Seconds, Path(description="Seconds from the first frame.")],
    wanted: Asked,
) -> Response:
    """The stored key frame that shows a video at a time."""
    return await _shown(
        served, rights, asset_id, wanted, lambda server, asset: server.container.showing.frame(asset, time_s).picture
    )


@router.head("/pages/{page}", response_class=Response, responses=_TELLS)
@router.get("/pages/{page}", response_class=Response, responses=_SHOWS)
async def show_page(
    served: Served,
    rights: Reader,
    asset_id: Id,
    page: Annotated[int, Path(ge=1, le=1_000_000, description="The page's number, from 1.")],
    wanted: Asked,
) -> Response:
    """The picture of a page of a document."""
    return await _shown(
        served, rights, asset_id, wanted, lambda server, asset: server.container.showing.page(asset, page)
    )


@router.head("/picture", response_class=Response, responses=_TELLS)
@router.get("/picture", response_class=Response, responses=_SHOWS)
async def show_picture(served: Served, rights: Reader, asset_id: Id, wanted: Asked) -> Response:
    """An image."""
    return await _shown(
        served, rights, asset_id, wanted, lambda server, asset: server.container.showing.page(asset, None)
    )


async def _shown(server: Server, rights: Rights, asset_id: str, wanted: Wanted, choose: Choose) -> Response:
    def show() -> Response:
        asset = asset_of(server.container.catalog, rights, asset_id)
        ref = choose(server, asset)
        tag = wanted.tag(ref)
        headers = {"etag": tag, "cache-control": _FOR_EVER if wanted.version == asset.version else _ASK_AGAIN}
        if wanted.is_known(tag):
            return Response(status_code=304, headers=headers)
        data = as_shown(server.container.artifacts.picture(ref), wanted.max_px, wanted.form is Form.WEBP)
        return Response(data, media_type=f"image/{wanted.form}", headers=headers)

    return await server.turns.lookups.take(show)
