"""Frames, page pictures and photos, as they were stored when the asset was indexed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Response

from api.http.auth import ReadAccess
from api.http.context import AppContext, Context
from api.http.problems import problem_responses
from api.http.routes.assets import AssetIdParam
from api.schemas.requests import Seconds
from indexer.media.jpeg import render
from indexer.types import PictureRef
from services.access.permissions import Permissions
from services.access.scoping import require_asset
from services.catalog.types import Asset

router = APIRouter(prefix="/v1/assets/{asset_id}", tags=["pictures"])
_IMMUTABLE, _REVALIDATE = "private, max-age=31536000, immutable", "private, no-cache"
_GET_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The picture", "content": {"image/jpeg": {}, "image/webp": {}}},
    304: {"description": "It is what the client has"},
    **problem_responses(404, 503),
}
_HEAD_RESPONSES = _GET_RESPONSES | {200: {"description": "What a GET would give: its kind, its length"}}
SelectPicture = Callable[[AppContext, Asset], PictureRef]


class ImageFormat(StrEnum):
    """What a picture is encoded as."""

    JPEG = "jpeg"
    WEBP = "webp"


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """How a picture is asked for."""

    max_px: Annotated[int | None, Query(ge=16, le=4096, description="The longer side at most; never scaled up.")] = None
    image_format: Annotated[ImageFormat, Query(alias="format", description="What it is encoded as.")] = ImageFormat.JPEG
    version: Annotated[
        str | None, Query(max_length=64, description="The asset's version: caches may then keep the picture for ever.")
    ] = None
    if_none_match: Annotated[str | None, Header(description="What the client has.")] = None

    def etag(self, ref: PictureRef) -> str:
        """A strong ETag: artifacts of a version never change."""
        facts = f"{ref.key}:{ref.offset}:{ref.length}:{self.max_px}:{self.image_format}"
        return f'"{hashlib.sha256(facts.encode()).hexdigest()[:32]}"'

    def matches_etag(self, etag: str) -> bool:
        """Whether the client has it."""
        known = [one.strip().removeprefix("W/") for one in (self.if_none_match or "").split(",")]
        return etag in known or "*" in known


ImageOptionsParam = Annotated[ImageOptions, Depends()]


@router.head("/frames/{time_s}", response_class=Response, responses=_HEAD_RESPONSES)
@router.get("/frames/{time_s}", response_class=Response, responses=_GET_RESPONSES)
async def show_frame(
    context: Context,
    permissions: ReadAccess,
    asset_id: AssetIdParam,
    time_s: Annotated[Seconds, Path(description="Seconds from the first frame.")],
    options: ImageOptionsParam,
) -> Response:
    """The stored key frame that shows a video at a time."""
    return await _picture_response(
        context,
        permissions,
        asset_id,
        options,
        lambda server, asset: server.container.media_access.key_frame_at(asset, time_s).picture,
    )


@router.head("/pages/{page}", response_class=Response, responses=_HEAD_RESPONSES)
@router.get("/pages/{page}", response_class=Response, responses=_GET_RESPONSES)
async def show_page(
    context: Context,
    permissions: ReadAccess,
    asset_id: AssetIdParam,
    page: Annotated[int, Path(ge=1, le=1_000_000, description="The page's number, from 1.")],
    options: ImageOptionsParam,
) -> Response:
    """The picture of a page of a document."""
    return await _picture_response(
        context,
        permissions,
        asset_id,
        options,
        lambda server, asset: server.container.media_access.page_image(asset, page),
    )


@router.head("/picture", response_class=Response, responses=_HEAD_RESPONSES)
@router.get("/picture", response_class=Response, responses=_GET_RESPONSES)
async def show_picture(
    context: Context, permissions: ReadAccess, asset_id: AssetIdParam, options: ImageOptionsParam
) -> Response:
    """An image."""
    return await _picture_response(
        context,
        permissions,
        asset_id,
        options,
        lambda server, asset: server.container.media_access.page_image(asset, None),
    )


async def _picture_response(
    context: AppContext, permissions: Permissions, asset_id: str, options: ImageOptions, select_picture: SelectPicture
) -> Response:
    def respond() -> Response:
        asset = require_asset(context.container.catalog, permissions, asset_id)
        ref = select_picture(context, asset)
        etag = options.etag(ref)
        headers = {"etag": etag, "cache-control": _IMMUTABLE if options.version == asset.version else _REVALIDATE}
        if options.matches_etag(etag):
            return Response(status_code=304, headers=headers)
        data = render(
            context.container.artifacts.read_picture(ref), options.max_px, options.image_format is ImageFormat.WEBP
        )
        return Response(data, media_type=f"image/{options.image_format}", headers=headers)

    return await context.limits.lookups.run(respond)
