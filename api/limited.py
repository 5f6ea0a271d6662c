"""No request is longer than it may be; it is refused while it comes, so that no more of it is held."""

from __future__ import annotations

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Limited:
    """ASGI middleware. What comes below `uploads` has limits of its own, which its routes hold."""

    def __init__(self, app: ASGIApp, most_bytes: int, uploads: str) -> None:
        self._app, self._most_bytes, self._uploads = app, most_bytes, uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._uploads):
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
