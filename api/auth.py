"""Who asks, and what they may: a key in `Authorization: Bearer …`, or none, on a server that is open to its machine."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from fastapi import Depends, Request

from api.server import Served, Server
from indexer.errors import KeyRefused
from services.keys import Key, Scope, is_secret
from services.rights import EVERYTHING, Rights

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


class Needs:
    """A dependency of routes: the rights of whoever asks, if they have the scope that the route needs.

    Errors: KeyRefused, RightMissing, TooManyRequests.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request, served: Served) -> Rights:
        rights = await rights_of(request, served)
        rights.needs(self.scope)
        return rights


Reader = Annotated[Rights, Depends(Needs(Scope.READ))]
Writer = Annotated[Rights, Depends(Needs(Scope.WRITE))]
Admin = Annotated[Rights, Depends(Needs(Scope.ADMIN))]


async def rights_of(request: Request, server: Server) -> Rights:
    """The rights of a request, found once. Some clients cannot but send a key: where none is needed, one that is not
    of ours counts as none. Errors: KeyRefused, TooManyRequests."""
    known = getattr(request.state, "rights", None)
    if isinstance(known, Rights):
        return known
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret.strip() and (is_secret(secret.strip()) or not server.open):
        key = await server.turns.lookups.take(lambda: server.container.keys.verify(secret.strip()))
        _allow(server, key)
        request.state.key, rights = key.id, Rights.of(key)
    elif server.open and is_from_here(request):
        rights = EVERYTHING
    else:
        raise KeyRefused("a key is needed: Authorization: Bearer ai_…")
    request.state.rights = rights
    return rights


def is_from_here(request: Request) -> bool:
    """Whether a request to an open server comes from this machine, and from no page that a browser has open: such a
    page may reach 127.0.0.1 too, under a name of its own (DNS rebinding), or by a form that it sends."""
    client = request.client.host if request.client is not None else ""
    origin = request.headers.get("origin")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    return (
        is_loopback(client)
        and is_loopback(request.url.hostname or "")
        and (origin is None or origin == own)
        and not any(name in request.headers for name in _FORWARDED)
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _allow(server: Server, key: Key) -> None:
    limits = [most for most in (key.requests_per_minute, server.container.settings.serve.requests_per_minute) if most]
    if limits:
        server.rates.take(key.id, min(limits))
