"""Who asks, and what they may: a key in `Authorization: Bearer …`, or none, on a server that is open to its machine."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from fastapi import Depends, Request

from api.http.context import AppContext, Context
from services.access.api_keys import ApiKey, Scope, looks_like_key
from services.access.errors import InvalidApiKey
from services.access.permissions import FULL_ACCESS, Permissions

_PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


class RequireScope:
    """A dependency of routes: the rights of whoever asks, if they have the scope that the route needs.

    Errors: KeyRefused, RightMissing, TooManyRequests.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request, context: Context) -> Permissions:
        permissions = await authenticate(request, context)
        permissions.require(self.scope)
        return permissions


ReadAccess = Annotated[Permissions, Depends(RequireScope(Scope.READ))]
WriteAccess = Annotated[Permissions, Depends(RequireScope(Scope.WRITE))]
AdminAccess = Annotated[Permissions, Depends(RequireScope(Scope.ADMIN))]


async def authenticate(request: Request, context: AppContext) -> Permissions:
    """The rights of a request, found once. Some clients cannot but send a key: where none is needed, one that is not
    of ours counts as none. Errors: KeyRefused, TooManyRequests."""
    cached = getattr(request.state, "permissions", None)
    if isinstance(cached, Permissions):
        return cached
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if (
        scheme.lower() == "bearer"
        and secret.strip()
        and (looks_like_key(secret.strip()) or not context.allow_anonymous)
    ):
        key = await context.limits.lookups.run(lambda: context.container.api_keys.verify(secret.strip()))
        _limit_rate(context, key)
        request.state.key_id, permissions = key.id, Permissions.of_key(key)
    elif context.allow_anonymous and is_trusted_local(request):
        permissions = FULL_ACCESS
    else:
        raise InvalidApiKey("a key is needed: Authorization: Bearer ai_…")
    request.state.permissions = permissions
    return permissions


def is_trusted_local(request: Request) -> bool:
    """Whether a request to an open server comes from this machine, and from no page that a browser has open: such a
    page may reach 127.0.0.1 too, under a name of its own (DNS rebinding), or by a form that it sends."""
    client = request.client.host if request.client is not None else ""
    origin = request.headers.get("origin")
    own_origin = f"{request.url.scheme}://{request.headers.get('host', '')}"
    return (
        is_loopback(client)
        and is_loopback(request.url.hostname or "")
        and (origin is None or origin == own_origin)
        and not any(name in request.headers for name in _PROXY_HEADERS)
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _limit_rate(context: AppContext, key: ApiKey) -> None:
    limits = [most for most in (key.requests_per_minute, context.container.settings.serve.requests_per_minute) if most]
    if limits:
        context.rate_limiter.acquire(key.id, min(limits))
