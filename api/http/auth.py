"""Authentication of requests: an API key in `Authorization: Bearer …`, that of a browser's session, or none at all.

None is needed on a server that is open to its own machine.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated

from fastapi import Depends, Request

from api.http.context import AppContext, Context
from api.http.sessions import session_secret
from services.access.api_keys import ApiKey, Scope, looks_like_key
from services.access.errors import InvalidApiKey
from services.access.permissions import FULL_ACCESS, Permissions

_PROXY_HEADERS = frozenset({"forwarded", "x-real-ip", "cf-connecting-ip", "via"})
_PROXY_HEADER_PREFIX = "x-forwarded-"


class RequireScope:
    """Dependency that authenticates a request and requires a scope of its key.

    Errors: InvalidApiKey, InsufficientScope, TooManyRequests; ReadOnlyArchive for the scope of changes.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request, context: Context) -> Permissions:
        permissions = await authenticate(request, context)
        permissions.require(self.scope)
        if self.scope is Scope.WRITE:
            context.container.database.require_writable()
        return permissions


ReadAccess = Annotated[Permissions, Depends(RequireScope(Scope.READ))]
WriteAccess = Annotated[Permissions, Depends(RequireScope(Scope.WRITE))]
AdminAccess = Annotated[Permissions, Depends(RequireScope(Scope.ADMIN))]


async def authenticate(request: Request, context: AppContext) -> Permissions:
    """Return the permissions of a request; they are determined once and cached in its state.

    Some clients always send a key: on an open server, one that does not look like ours is ignored, and so is the key of
    a session, which may be one of another archive.
    Errors: InvalidApiKey, TooManyRequests.
    """
    cached = getattr(request.state, "permissions", None)
    if isinstance(cached, Permissions):
        return cached
    secret = _bearer_secret(request)
    if secret and (looks_like_key(secret) or not await _is_open(context)):
        key = await context.limits.lookups.run(context.container.api_keys.verify, secret)
        return authenticate_as_key(request, context, key)
    if is_trusted_local(request) and await _is_open(context):
        request.state.permissions = FULL_ACCESS
        return FULL_ACCESS
    if session := session_secret(request):
        key = await context.limits.lookups.run(context.container.api_keys.verify, session)
        return authenticate_as_key(request, context, key)
    raise InvalidApiKey("a key is needed: Authorization: Bearer ai_…")


def authenticate_as_key(request: Request, context: AppContext, key: ApiKey) -> Permissions:
    """Return the permissions of a verified key, and count the request as one of it. Errors: TooManyRequests."""
    _limit_rate(context, key)
    permissions = Permissions.of_key(key)
    request.state.key_id, request.state.permissions = key.id, permissions
    return permissions


def has_bearer(request: Request) -> bool:
    """Return whether a request carries a key, valid or not."""
    return bool(_bearer_secret(request))


def is_trusted_local(request: Request) -> bool:
    """Return whether a request comes from a program of this machine, and not from a web page in its browser.

    Such a page can reach 127.0.0.1 under a name of its own (DNS rebinding) or by a form that it posts (CSRF), so the
    Host header must be loopback and the Origin header absent or our own.
    """
    client = request.client.host if request.client is not None else ""
    origin = request.headers.get("origin")
    own_origin = f"{request.url.scheme}://{request.headers.get('host', '')}"
    return (
        is_loopback(client)
        and is_loopback(request.url.hostname or "")
        and (origin is None or origin == own_origin)
        and not any(name in _PROXY_HEADERS or name.startswith(_PROXY_HEADER_PREFIX) for name in request.headers)
    )


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is that of the loopback interface."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


async def _is_open(context: AppContext) -> bool:
    return await context.limits.lookups.run(context.open_access.is_open)


def _bearer_secret(request: Request) -> str:
    """Return the secret of `Authorization: Bearer …`; empty where there is none."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _limit_rate(context: AppContext, key: ApiKey) -> None:
    """Apply the lower of the key's own limit and the server's. Errors: TooManyRequests."""
    server_limit = context.container.settings.serve.requests_per_minute
    limits = [limit for limit in (key.requests_per_minute, server_limit) if limit]
    if limits:
        context.rate_limiter.acquire(key.id, min(limits))
