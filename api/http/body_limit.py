"""Size limit of request bodies; a longer one is refused while it arrives (413)."""

from __future__ import annotations

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UPLOADS_PATH = "/v1/uploads"
"""Path prefix without this limit: its routes have limits of their own and hold no body in memory."""


class BodySizeLimit:
    """ASGI middleware that raises 413 once a request has sent more than `max_bytes`."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app, self._max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(UPLOADS_PATH):
            await self._app(scope, receive, send)
            return
        received_bytes = 0

        async def receive_limited() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > self._max_bytes:
                raise HTTPException(413, f"the request body is longer than {self._max_bytes} bytes")
            return message

        await self._app(scope, receive_limited, send)
