"""No request is longer than it may be; it is refused while it comes, so that no more of it is held."""

from __future__ import annotations

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UPLOADS_PATH = "/v1/uploads"
"""What comes below it may be of any length: its routes have limits of their own, and hold no more than a piece."""


class BodySizeLimit:
    """ASGI middleware."""

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
                raise HTTPException(413, f"a request has {self._max_bytes} bytes at most")
            return message

        await self._app(scope, receive_limited, send)
