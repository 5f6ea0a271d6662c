"""The media itself, with HTTP ranges, and clips of it."""

from __future__ import annotations

import mimetypes
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.auth import Reader
from api.bodies import Seconds
from api.problems import problem_responses
from api.ranges import ranged
from api.routes.assets import Id
from api.server import Served
from api.visible import asset_of, seen
from indexer.errors import LimitExceeded, QueryError

router = APIRouter(prefix="/v1/assets/{asset_id}", tags=["media"])
_KINDS = ("video/", "audio/", "image/")
_SAFE = {"content-security-policy": "sandbox; default-src 'none'", "x-content-type-options": "nosniff"}
"""What others made is shown and never run, whatever a browser would take it for."""
_BYTES: dict[str, Any] = {"content": {"application/octet-stream": {}, "video/*": {}, "audio/*": {}, "image/*": {}}}


@router.head(
    "/media",
    response_class=Response,
    responses={200: {"description": "What a GET would give: its kind, its length"}, **problem_responses(404, 503)},
)
@router.get(
    "/media",
    response_class=Response,
    responses={
        200: {"description": "All of it", **_BYTES},
        206: {"description": "Some of its bytes", **_BYTES},
        **problem_responses(404, 416, 503),
    },
)
async def show_media(request: Request, served: Served, rights: Reader, asset_id: Id) -> Response:
    """The file that the asset was indexed from, whole or in ranges of bytes (`Range`)."""
    container = served.container

    def find() -> Response:
        asset = asset_of(container.catalog, rights, asset_id)
        media = container.showing.media(asset, seen(rights))
        headers = {"content-type": _media_type(asset.name), "cache-control": "private, no-cache", **_SAFE}
        return ranged(request, media, f'"{asset.asset_id}"', headers)

    return await served.turns.lookups.take(find)


@router.get(
    "/clip",
    response_class=Response,
    responses={200: {"description": "The clip", "content": {"video/mp4": {}}}, **problem_responses(404, 413, 503)},
)
async def cut_clip(
    served: Served,
    rights: Reader,
    asset_id: Id,
    start_s: Annotated[Seconds, Query(description="Where it begins.")],
    end_s: Annotated[Seconds, Query(description="Where it ends.")],
    max_px: Annotated[int, Query(ge=64, le=3840, description="The longer side at most.")] = 1280,
) -> Response:
    """What is seen and heard in `[start_s, end_s)` of a video: upright, H.264 and AAC in MP4."""
    longest_s, container = served.container.settings.serve.clip_s, served.container
    if end_s <= start_s:
        raise QueryError("a clip ends after it begins")
    if end_s - start_s > longest_s:
        raise LimitExceeded("the clip", f"is longer than {longest_s:g} s")

    def cut() -> bytes:
        asset = asset_of(container.catalog, rights, asset_id)
        return container.showing.clip(asset, seen(rights), start_s, end_s, max_px)

    clip = await served.turns.clips.take(cut)
    return Response(clip, media_type="video/mp4", headers={"cache-control": "private, no-cache", **_SAFE})


def _media_type(name: str) -> str:
    kind, _ = mimetypes.guess_type(name)
    known = kind is not None and (kind == "application/pdf" or (kind.startswith(_KINDS) and kind != "image/svg+xml"))
    return kind if known and kind else "application/octet-stream"
