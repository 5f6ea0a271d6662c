"""No request is longer than it may be; it is refused while it comes, so that no more of it is held."""

from __future__ import annotations

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UPLOADS = "/v1/uploads"
"""What comes below it may be of any length: its routes have limits of their own, and hold no more than a piece."""


class Limited:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self._app, self._most_bytes = app, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(UPLOADS):
            await self._app(scope, receive, send)
            return
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self._most_bytes:
                raise HTTPException(413, f"a request has {self._most_bytes} bytes at most")
            return message

        await self._app(scope, counted, send)
