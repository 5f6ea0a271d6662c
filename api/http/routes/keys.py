"""Routes `/v1/keys`: list, create and revoke API keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.http.auth import AdminAccess
from api.http.context import Context
from api.http.idempotency import IdempotencyKeyParam, IdempotentRoute
from api.http.problems import problem_responses
from api.http.slots import LookupSlot
from api.schemas.requests import KeyBody
from api.schemas.responses import NewKeyShape
from api.schemas.results import KeyShape

router = APIRouter(prefix="/v1/keys", tags=["keys"], route_class=IdempotentRoute)


@router.get("", response_model=list[KeyShape], responses=problem_responses(403, 503))
def list_keys(context: Context, _permissions: AdminAccess, _slot: LookupSlot) -> list[KeyShape]:
    """List all keys, newest first, without their secrets; revoked and expired ones included."""
    return [KeyShape.of(key) for key in context.container.api_keys.list()]


@router.post("", response_model=NewKeyShape, status_code=201, responses=problem_responses(403, 409, 503))
def create_key(
    context: Context,
    _permissions: AdminAccess,
    body: KeyBody,
    idempotency_key: IdempotencyKeyParam,
    response: Response,
    _slot: LookupSlot,
) -> NewKeyShape:
    """Create a key. Its secret is in this response and cannot be shown again: a retried request gets the same key with
    another secret."""
    response.headers["cache-control"] = "no-store"
    expires_at = None if body.expires_at is None else body.expires_at.timestamp()
    key, secret = context.container.api_keys.create(
        body.name, body.scopes, body.collections, expires_at, body.requests_per_minute, idempotency_key
    )
    return NewKeyShape(**KeyShape.of(key).model_dump(), secret=secret)


@router.delete("/{key_id}", response_model=KeyShape, responses=problem_responses(403, 404, 503))
def revoke_key(
    context: Context,
    _permissions: AdminAccess,
    key_id: Annotated[str, Path(max_length=64, description="The key's id.")],
    _slot: LookupSlot,
) -> KeyShape:
    """Revoke a key: it is refused from now on."""
    return KeyShape.of(context.container.api_keys.revoke(key_id))
