"""Routes for stored pictures: key frames of videos, pages of documents and images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from api.http.binary_content import NOT_MODIFIED, binary_content
from api.http.conditional import Conditions, ConditionsParam, validators
from api.http.context import AppContext, Context
from api.http.problems import problem_responses
from api.http.routes.assets import AssetIdParam
from api.http.signed_urls import MediaReadAccess
from api.http.slots import LookupSlot
from api.schemas.requests import Seconds
from indexer.media.jpeg import render
from indexer.types import PictureRef
from services.access.scoping import require_asset
from services.catalog.types import Asset

router = APIRouter(prefix="/v1/assets/{asset_id}", tags=["pictures"])
_IMMUTABLE, _REVALIDATE = "private, max-age=31536000, immutable", "private, no-cache"
_GET_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The picture", "content": binary_content("image/jpeg", "image/webp")},
    **NOT_MODIFIED,
    **problem_responses(404, 503),
}
"""Source: RFC 9110, section 15."""
_HEAD_RESPONSES = _GET_RESPONSES | {200: {"description": "What a GET would give: its kind, its length"}}
"""Source: RFC 9110, section 9.3.2."""


class ImageFormat(StrEnum):
    """File format of a picture that is sent."""

    JPEG = "jpeg"
    WEBP = "webp"


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """Size, format and caching of a picture, from its query."""

    max_px: Annotated[int | None, Query(ge=16, le=4096, description="The longer side at most; never scaled up.")] = None
    image_format: Annotated[ImageFormat, Query(alias="format", description="What it is encoded as.")] = ImageFormat.JPEG
    version: Annotated[
        str | None, Query(max_length=64, description="The asset's version: caches may then keep the picture for ever.")
    ] = None

    def etag(self, ref: PictureRef) -> str:
        """Return a strong ETag of a stored picture in this form; artifacts of a version never change."""
        parts = f"{ref.key}:{ref.offset}:{ref.length}:{self.max_px}:{self.image_format}"
        return f'"{hashlib.sha256(parts.encode()).hexdigest()[:32]}"'


ImageOptionsParam = Annotated[ImageOptions, Depends()]


@router.head("/frames/{time_s}", response_class=Response, responses=_HEAD_RESPONSES)
@router.get("/frames/{time_s}", response_class=Response, responses=_GET_RESPONSES)
def show_frame(
    context: Context,
    permissions: MediaReadAccess,
    asset_id: AssetIdParam,
    time_s: Annotated[Seconds, Path(description="Seconds from the start of the recording, as a player counts.")],
    options: ImageOptionsParam,
    conditions: ConditionsParam,
    _slot: LookupSlot,
) -> Response:
    """Send the stored key frame that shows a video at a time."""
    asset = require_asset(context.container.catalog, permissions, asset_id)
    picture = context.container.media_access.key_frame_at(asset, time_s).picture
    return _send_picture(context, asset, picture, options, conditions)


@router.head("/pages/{page}", response_class=Response, responses=_HEAD_RESPONSES)
@router.get("/pages/{page}", response_class=Response, responses=_GET_RESPONSES)
def show_page(
    context: Context,
    permissions: MediaReadAccess,
    asset_id: AssetIdParam,
    page: Annotated[int, Path(ge=1, le=1_000_000, description="The page's number, from 1.")],
    options: ImageOptionsParam,
    conditions: ConditionsParam,
    _slot: LookupSlot,
) -> Response:
    """Send the picture of a page of a document."""
    asset = require_asset(context.container.catalog, permissions, asset_id)
    return _send_picture(context, asset, context.container.media_access.page_image(asset, page), options, conditions)


@router.head("/picture", response_class=Response, responses=_HEAD_RESPONSES)
@router.get("/picture", response_class=Response, responses=_GET_RESPONSES)
def show_picture(
    context: Context,
    permissions: MediaReadAccess,
    asset_id: AssetIdParam,
    options: ImageOptionsParam,
    conditions: ConditionsParam,
    _slot: LookupSlot,
) -> Response:
    """Send an image."""
    asset = require_asset(context.container.catalog, permissions, asset_id)
    return _send_picture(context, asset, context.container.media_access.page_image(asset, None), options, conditions)


def _send_picture(
    context: AppContext, asset: Asset, ref: PictureRef, options: ImageOptions, conditions: Conditions
) -> Response:
    """Return a stored picture in the requested form, or 304 where the client has it."""
    cache_control = _IMMUTABLE if options.version == asset.version else _REVALIDATE
    headers = {**validators(options.etag(ref), asset.indexed_at), "cache-control": cache_control}
    if (not_modified := conditions.not_modified(headers)) is not None:
        return not_modified
    picture = context.container.artifacts.read_picture(ref)
    data = render(picture, options.max_px, options.image_format is ImageFormat.WEBP)
    return Response(data, media_type=f"image/{options.image_format}", headers=headers)
