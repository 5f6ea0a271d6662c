"""Route `/v1/assets/{asset_id}/signed-url`: sign URLs of an asset's media, pictures and clips."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.http.auth import ReadAccess
from api.http.context import Context
from api.http.problems import problem_responses
from api.http.routes.assets import AssetIdParam
from api.http.slots import LookupSlot
from api.schemas.responses import SignedUrlShape
from indexer.errors import InvalidInput
from services.access.scoping import require_asset

router = APIRouter(prefix="/v1/assets", tags=["media"])
TtlParam = Annotated[
    int | None, Query(ge=1, le=86_400, description="Seconds that it holds; left out: as long as the server allows.")
]


@router.get("/{asset_id}/signed-url", response_model=SignedUrlShape, responses=problem_responses(404, 503, 507))
def sign_url(
    context: Context,
    permissions: ReadAccess,
    asset_id: AssetIdParam,
    response: Response,
    _slot: LookupSlot,
    ttl_s: TtlParam = None,
) -> SignedUrlShape:
    """Sign URLs of one asset, for `<video>` and `<img>`: `query`, appended to those of its media, pictures and clips,
    stands for the key until it expires, or the key does."""
    response.headers["cache-control"] = "no-store"
    max_ttl_s = context.container.settings.serve.signed_url_ttl_s
    if ttl_s is not None and ttl_s > max_ttl_s:
        raise InvalidInput(f"ttl_s: a URL is signed for {max_ttl_s} s at most")
    asset = require_asset(context.container.catalog, permissions, asset_id)
    signed = context.media_urls.sign(asset.asset_id, permissions.key_id or "", ttl_s or max_ttl_s)
    return SignedUrlShape.of(asset.asset_id, signed)
