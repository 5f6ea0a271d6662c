"""Routes for source media: whole, in byte ranges, or as clips."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from api.http.auth import ReadAccess
from api.http.byte_ranges import range_response
from api.http.context import Context
from api.http.problems import problem_responses
from api.http.routes.assets import AssetIdParam
from api.http.slots import ClipSlot, LookupSlot
from api.schemas.requests import Seconds
from indexer.errors import InvalidInput, LimitExceeded
from services.access.scoping import allowed_collections, require_asset

router = APIRouter(prefix="/v1/assets/{asset_id}", tags=["media"])
_SAFE_TYPE_PREFIXES = ("video/", "audio/", "image/")
_SANDBOX_HEADERS = {"content-security-policy": "sandbox; default-src 'none'", "x-content-type-options": "nosniff"}
"""A browser shows media that others made and never runs it, whatever it takes it for."""
_MEDIA_CONTENT: dict[str, Any] = {
    "content": {"application/octet-stream": {}, "video/*": {}, "audio/*": {}, "image/*": {}}
}


@router.head(
    "/media",
    response_class=Response,
    responses={200: {"description": "What a GET would give: its kind, its length"}, **problem_responses(404, 503)},
)
@router.get(
    "/media",
    response_class=Response,
    responses={
        200: {"description": "All of it", **_MEDIA_CONTENT},
        206: {"description": "Some of its bytes", **_MEDIA_CONTENT},
        **problem_responses(404, 416, 503),
    },
)
def show_media(
    request: Request, context: Context, permissions: ReadAccess, asset_id: AssetIdParam, _slot: LookupSlot
) -> Response:
    """Send the file that the asset was indexed from, whole or in byte ranges (`Range`)."""
    container = context.container
    asset = require_asset(container.catalog, permissions, asset_id)
    media = container.media_access.source_media(asset, allowed_collections(permissions))
    headers = {"content-type": _media_type(asset.name), "cache-control": "private, no-cache", **_SANDBOX_HEADERS}
    return range_response(request, media, f'"{asset.asset_id}"', headers)


@dataclass(frozen=True, slots=True)
class _ClipOptions:
    start_s: Annotated[Seconds, Query(description="Where it begins.")]
    end_s: Annotated[Seconds, Query(description="Where it ends.")]
    max_px: Annotated[int, Query(ge=64, le=3840, description="The longer side at most.")] = 1280
    """Chosen: sharp enough to judge a scene by; a larger picture takes longer to encode."""


async def _validate_clip(context: Context, options: Annotated[_ClipOptions, Depends()]) -> _ClipOptions:
    """Return the options of a clip, checked before a slot is waited for. Errors: InvalidInput, LimitExceeded."""
    max_clip_s = context.container.settings.serve.max_clip_s
    if options.end_s <= options.start_s:
        raise InvalidInput("a clip ends after it begins")
    if options.end_s - options.start_s > max_clip_s:
        raise LimitExceeded("the clip", f"is longer than {max_clip_s:g} s")
    return options


@router.get(
    "/clip",
    response_class=Response,
    responses={200: {"description": "The clip", "content": {"video/mp4": {}}}, **problem_responses(404, 413, 503)},
)
def cut_clip(
    context: Context,
    permissions: ReadAccess,
    asset_id: AssetIdParam,
    options: Annotated[_ClipOptions, Depends(_validate_clip)],
    _slot: ClipSlot,
) -> Response:
    """Cut `[start_s, end_s)` out of a video: upright, H.264 and AAC in MP4."""
    container = context.container
    asset = require_asset(container.catalog, permissions, asset_id)
    clip = container.media_access.clip(
        asset, allowed_collections(permissions), options.start_s, options.end_s, options.max_px
    )
    return Response(clip, media_type="video/mp4", headers={"cache-control": "private, no-cache", **_SANDBOX_HEADERS})


def _media_type(name: str) -> str:
    """Return the media type of a file name, if it is one that is safe to show in a browser."""
    media_type, _ = mimetypes.guess_type(name)
    if media_type is None or media_type == "image/svg+xml":
        return "application/octet-stream"
    is_safe = media_type == "application/pdf" or media_type.startswith(_SAFE_TYPE_PREFIXES)
    return media_type if is_safe else "application/octet-stream"
