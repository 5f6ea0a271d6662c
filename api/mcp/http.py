"""`/mcp`: the same tools over streamable HTTP, for those who hold a key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Request, Response
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import Receive, Scope, Send

from api.http.auth import ReadAccess
from api.http.concurrency import ConcurrencyLimits
from api.http.problems import request_id
from api.mcp.principals import Principal
from api.mcp.server import create_server
from api.mcp.summaries import JobSummaryProvider
from services.access.errors import InsufficientScope
from services.access.permissions import Permissions
from services.container import Container

router = APIRouter()


class McpEndpoint:
    """Answers the protocol's requests, each on its own, so that any of several servers can take the next one. Who may
    ask, and from where, was looked at before, as for every route."""

    def __init__(self, container: Container, limits: ConcurrencyLimits, max_body_bytes: int) -> None:
        server = create_server(container, limits, resolve_key_holder, JobSummaryProvider(container, limits))
        server.streamable_http_app(
            stateless_http=True,
            max_request_body_size=max_body_bytes,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        self._sessions = server.session_manager

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """While it can be asked; once."""
        async with self._sessions.run():
            yield

    async def handle_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; its rights are in its state."""
        await self._sessions.handle_request(scope, receive, send)


class _EndpointResponse(Response):
    def __init__(self, endpoint: McpEndpoint) -> None:
        super().__init__()
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint.handle_request(scope, receive, send)


@router.api_route("/mcp", methods=["GET", "POST", "DELETE"], include_in_schema=False)
async def handle_mcp(request: Request, _permissions: ReadAccess) -> Response:
    """The endpoint of the protocol, which describes itself to its clients."""
    return _EndpointResponse(request.app.state.mcp)


def resolve_key_holder(request: Request | None) -> Principal:
    """Whoever holds the key that came with the request. Errors: RightMissing where nobody has looked for one."""
    permissions = None if request is None else getattr(request.state, "permissions", None)
    if request is None or not isinstance(permissions, Permissions):
        raise InsufficientScope("this call came without rights")
    return Principal(permissions, request_id(request))
