"""Route `/mcp`: the MCP server over streamable HTTP, for holders of an API key."""

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
    """MCP server over stateless HTTP: any of several servers can take the next request of a client.

    Requests are authenticated before, as for every route.
    """

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
        """Run the protocol's sessions while the app runs; once per instance."""
        async with self._sessions.run():
            yield

    async def handle_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one authenticated request; its permissions are in its state."""
        await self._sessions.handle_request(scope, receive, send)


class _EndpointResponse(Response):
    """Response that is sent by the MCP endpoint."""

    def __init__(self, endpoint: McpEndpoint) -> None:
        super().__init__()
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint.handle_request(scope, receive, send)


@router.api_route("/mcp", methods=["GET", "POST", "DELETE"], include_in_schema=False)
async def handle_mcp(request: Request, _permissions: ReadAccess) -> Response:
    """Handle a request of the Model Context Protocol."""
    return _EndpointResponse(request.app.state.mcp)


def resolve_key_holder(request: Request | None) -> Principal:
    """Return the holder of the key that came with a request. Errors: InsufficientScope for one not authenticated."""
    permissions = None if request is None else getattr(request.state, "permissions", None)
    if request is None or not isinstance(permissions, Permissions):
        raise InsufficientScope("this call came without permissions")
    return Principal(permissions, request_id(request))
