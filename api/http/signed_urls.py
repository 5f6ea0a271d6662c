"""Authentication of media requests by a signed URL, for `<video>` and `<img>`, which send no API key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request

from api.http.auth import authenticate, authenticate_as_key, has_bearer
from api.http.context import AppContext, Context
from api.schemas.requests import AssetId
from services.access.api_keys import Scope
from services.access.media_urls import MediaSignature
from services.access.permissions import Permissions


@dataclass(frozen=True, slots=True)
class SignatureParams:
    """Query parameters of a signed URL, as `GET /v1/assets/{asset_id}/signed-url` gives them."""

    expires: Annotated[str, Query(max_length=20, description="Of a signed URL: when it expires (Unix time).")] = ""
    key: Annotated[str, Query(max_length=64, description="Of a signed URL: the id of the key that signed it.")] = ""
    signature: Annotated[str, Query(max_length=64, description="Of a signed URL: its signature, instead of a key.")] = (
        ""
    )

    def to_signature(self) -> MediaSignature:
        """Return the signature of the services."""
        return MediaSignature(self.expires, self.key, self.signature)


async def _authenticate_media(
    request: Request,
    context: Context,
    asset_id: Annotated[AssetId, Path(description="The asset's id, in full.")],
    params: Annotated[SignatureParams, Depends()],
) -> Permissions:
    """Return the permissions of an API key, or of the key that signed the URL. An API key counts before a signature.

    Errors: InvalidMediaUrl, InvalidApiKey, InsufficientScope, TooManyRequests.
    """
    if params.signature and not has_bearer(request):
        permissions = await _authenticate_signed(request, context, asset_id, params.to_signature())
    else:
        permissions = await authenticate(request, context)
    permissions.require(Scope.READ)
    return permissions


MediaReadAccess = Annotated[Permissions, Depends(_authenticate_media)]
"""Permissions to read media, pictures and clips of the asset in the path."""


async def _authenticate_signed(
    request: Request, context: AppContext, asset_id: str, signed: MediaSignature
) -> Permissions:
    """Return the permissions of the key that signed; a signature without a key adds nothing on an open server."""
    await context.limits.lookups.run(context.media_urls.verify, asset_id, signed)
    if not signed.key_id:
        return await authenticate(request, context)
    key = await context.limits.lookups.run(context.container.api_keys.require_active, signed.key_id)
    return authenticate_as_key(request, context, key)
