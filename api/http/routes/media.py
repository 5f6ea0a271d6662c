"""The media itself, with HTTP ranges, and clips of it."""

from __future__ import annotations

import mimetypes
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.http.auth import ReadAccess
from api.http.byte_ranges import range_response
from api.http.context import Context
from api.http.problems import problem_responses
from api.http.routes.assets import AssetIdParam
from api.schemas.requests import Seconds
from indexer.errors import InvalidInput, LimitExceeded
from services.access.scoping import allowed_collections, require_asset

router = APIRouter(prefix="/v1/assets/{asset_id}", tags=["media"])
_SAFE_TYPE_PREFIXES = ("video/", "audio/", "image/")
_SANDBOX_HEADERS = {"content-security-policy": "sandbox; default-src 'none'", "x-content-type-options": "nosniff"}
"""What others made is shown and never run, whatever a browser would take it for."""
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
async def show_media(request: Request, context: Context, permissions: ReadAccess, asset_id: AssetIdParam) -> Response:
    """The file that the asset was indexed from, whole or in ranges of bytes (`Range`)."""
    container = context.container

    def respond() -> Response:
        asset = require_asset(container.catalog, permissions, asset_id)
        media = container.media_access.source_media(asset, allowed_collections(permissions))
        headers = {"content-type": _media_type(asset.name), "cache-control": "private, no-cache", **_SANDBOX_HEADERS}
        return range_response(request, media, f'"{asset.asset_id}"', headers)

    return await context.limits.lookups.run(respond)


@router.get(
    "/clip",
    response_class=Response,
    responses={200: {"description": "The clip", "content": {"video/mp4": {}}}, **problem_responses(404, 413, 503)},
)
async def cut_clip(
    context: Context,
    permissions: ReadAccess,
    asset_id: AssetIdParam,
    start_s: Annotated[Seconds, Query(description="Where it begins.")],
    end_s: Annotated[Seconds, Query(description="Where it ends.")],
    max_px: Annotated[int, Query(ge=64, le=3840, description="The longer side at most.")] = 1280,
) -> Response:
    """What is seen and heard in `[start_s, end_s)` of a video: upright, H.264 and AAC in MP4."""
    max_clip_s, container = context.container.settings.serve.max_clip_s, context.container
    if end_s <= start_s:
        raise InvalidInput("a clip ends after it begins")
    if end_s - start_s > max_clip_s:
        raise LimitExceeded("the clip", f"is longer than {max_clip_s:g} s")

    def cut() -> bytes:
        asset = require_asset(container.catalog, permissions, asset_id)
        return container.media_access.clip(asset, allowed_collections(permissions), start_s, end_s, max_px)

    clip = await context.limits.clips.run(cut)
    return Response(clip, media_type="video/mp4", headers={"cache-control": "private, no-cache", **_SANDBOX_HEADERS})


def _media_type(name: str) -> str:
    kind, _ = mimetypes.guess_type(name)
    known = kind is not None and (
        kind == "application/pdf" or (kind.startswith(_SAFE_TYPE_PREFIXES) and kind != "image/svg+xml")
    )
    return kind if known and kind else "application/octet-stream"
