"""Routes for source media: whole, in byte ranges, or as clips."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from api.http.binary_content import NOT_MODIFIED, binary_content
from api.http.byte_ranges import range_response
from api.http.conditional import ConditionsParam, validators
from api.http.context import Context
from api.http.problems import problem_responses
from api.http.routes.assets import AssetIdParam
from api.http.signed_urls import MediaReadAccess
from api.http.slots import ClipSlot, LookupSlot
from api.schemas.requests import Seconds
from indexer.errors import InvalidInput, LimitExceeded
from services.access.scoping import allowed_collections, require_asset
from services.catalog.types import Asset
from services.playback.media_access import SourceMedia

router = APIRouter(prefix="/v1/assets/{asset_id}", tags=["media"])
_SAFE_TYPE_PREFIXES = ("video/", "audio/", "image/")
_COMMON_HEADERS = {
    "cache-control": "private, no-cache",
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
}
"""A browser shows media that others made and never runs it, whatever it takes it for."""
_HEAD_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "What a GET would give: its kind, its length"},
    **NOT_MODIFIED,
    **problem_responses(404, 503),
}
"""Source: RFC 9110, section 9.3.2."""
_MEDIA_CONTENT = binary_content("application/octet-stream", "application/pdf", "video/*", "audio/*", "image/*")
_MEDIA_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "All of it", "content": _MEDIA_CONTENT},
    206: {"description": "Some of its bytes", "content": _MEDIA_CONTENT | binary_content("multipart/byteranges")},
    **NOT_MODIFIED,
    **problem_responses(404, 416, 503),
}
"""Source: RFC 9110, section 15."""
_CLIP_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The clip", "content": binary_content("video/mp4")},
    206: {"description": "Some of its bytes", "content": binary_content("video/mp4", "multipart/byteranges")},
    **NOT_MODIFIED,
    **problem_responses(404, 413, 416, 503),
}
"""Source: RFC 9110, section 15."""


@router.head("/media", response_class=Response, responses=_HEAD_RESPONSES)
@router.get("/media", response_class=Response, responses=_MEDIA_RESPONSES)
def show_media(
    request: Request,
    context: Context,
    permissions: MediaReadAccess,
    asset_id: AssetIdParam,
    conditions: ConditionsParam,
    _slot: LookupSlot,
) -> Response:
    """Send the file that the asset was indexed from, whole or in byte ranges (`Range`)."""
    container = context.container
    asset = require_asset(container.catalog, permissions, asset_id)
    media = container.media_access.source_media(asset, allowed_collections(permissions))
    headers = {"content-type": _media_type(asset.name), **validators(f'"{asset.asset_id}"', media.modified_at)}
    headers |= _COMMON_HEADERS
    return conditions.not_modified(headers) or range_response(request, media, headers)


@dataclass(frozen=True, slots=True)
class _ClipOptions:
    start_s: Annotated[Seconds, Query(description="Where it begins.")]
    end_s: Annotated[Seconds, Query(description="Where it ends.")]
    max_px: Annotated[int, Query(ge=64, le=3840, description="The longer side at most.")] = 1280
    """Chosen: sharp enough to judge a scene by; a larger picture takes longer to encode."""

    def etag(self, asset: Asset) -> str:
        """Return a strong ETag of the clip: the same bytes are cut by the same version of the encoder."""
        parts = f"{asset.asset_id}:{self.start_s}:{self.end_s}:{self.max_px}:{_encoder_version()}"
        return f'"{hashlib.sha256(parts.encode()).hexdigest()[:32]}"'


async def _validate_clip(context: Context, options: Annotated[_ClipOptions, Depends()]) -> _ClipOptions:
    """Return the options of a clip, checked before a slot is waited for. Errors: InvalidInput, LimitExceeded."""
    max_clip_s = context.container.settings.serve.max_clip_s
    if options.end_s <= options.start_s:
        raise InvalidInput("a clip ends after it begins")
    if options.end_s - options.start_s > max_clip_s:
        raise LimitExceeded("the clip", f"is longer than {max_clip_s:g} s")
    return options


@router.head("/clip", response_class=Response, responses=_HEAD_RESPONSES | problem_responses(413))
@router.get("/clip", response_class=Response, responses=_CLIP_RESPONSES)
def cut_clip(
    request: Request,
    context: Context,
    permissions: MediaReadAccess,
    asset_id: AssetIdParam,
    options: Annotated[_ClipOptions, Depends(_validate_clip)],
    conditions: ConditionsParam,
    _slot: ClipSlot,
) -> Response:
    """Cut `[start_s, end_s)` out of a video: upright, H.264 and AAC in MP4, whole or in byte ranges (`Range`)."""
    media_access = context.container.media_access
    asset = require_asset(context.container.catalog, permissions, asset_id)
    collections = allowed_collections(permissions)
    modified_at = media_access.source_media(asset, collections).modified_at
    headers = {"content-type": "video/mp4", **validators(options.etag(asset), modified_at), **_COMMON_HEADERS}
    if (not_modified := conditions.not_modified(headers)) is not None:
        return not_modified
    clip = media_access.clip(asset, collections, options.start_s, options.end_s, options.max_px)
    return range_response(request, SourceMedia.of_bytes(clip, modified_at), headers)


@cache
def _encoder_version() -> str:
    """Return the version of the package that encodes clips; another one may cut other bytes."""
    return metadata.version("av")


def _media_type(name: str) -> str:
    """Return the media type of a file name, if it is one that is safe to show in a browser."""
    media_type, _ = mimetypes.guess_type(name)
    if media_type is None or media_type == "image/svg+xml":
        return "application/octet-stream"
    is_safe = media_type == "application/pdf" or media_type.startswith(_SAFE_TYPE_PREFIXES)
    return media_type if is_safe else "application/octet-stream"
