"""Redirects within the server name a path alone: which scheme and host a client sees, only its proxy knows."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RelativeRedirects:
    """ASGI middleware that takes scheme and host from a `Location` that names the host of the request.

    Such redirects are made by Starlette, for a path with a slash too many or too few.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_relative(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                target = urlsplit(headers.get("location", ""))
                if target.netloc and target.netloc == Headers(scope=scope).get("host"):
                    headers["location"] = urlunsplit(("", "", target.path, target.query, ""))
            await send(message)

        await self._app(scope, receive, send_relative)
