"""`/mcp`: the same tools over streamable HTTP, for those who hold a key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Request, Response
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import Receive, Scope, Send

from api.auth import Reader
from api.mcp.callers import Caller
from api.mcp.server import create_server
from api.mcp.summaries import ByJob
from api.problems import request_id
from api.turns import Turns
from indexer.errors import RightMissing
from services.container import Container
from services.rights import Rights

router = APIRouter()


class McpEndpoint:
    """Answers the protocol's requests, each on its own, so that any of several servers can take the next one. Who may
    ask, and from where, was looked at before, as for every route."""

    def __init__(self, container: Container, turns: Turns, max_body_bytes: int) -> None:
        server = create_server(container, turns, key_holder, ByJob(container, turns))
        server.streamable_http_app(
            stateless_http=True,
            max_request_body_size=max_body_bytes,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        self._sessions = server.session_manager

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While it can be asked; once."""
        async with self._sessions.run():
            yield

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; its rights are in its state."""
        await self._sessions.handle_request(scope, receive, send)


class _Answer(Response):
    def __init__(self, endpoint: McpEndpoint) -> None:
        super().__init__()
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint.answer(scope, receive, send)


@router.api_route("/mcp", methods=["GET", "POST", "DELETE"], include_in_schema=False)
async def speak(request: Request, _rights: Reader) -> Response:
    """The endpoint of the protocol, which describes itself to its clients."""
    return _Answer(request.app.state.mcp)


def key_holder(request: Request | None) -> Caller:
    """Whoever holds the key that came with the request. Errors: RightMissing where nobody has looked for one."""
    rights = None if request is None else getattr(request.state, "rights", None)
    if request is None or not isinstance(rights, Rights):
        raise RightMissing("this call came without rights")
    return Caller(rights, request_id(request))
