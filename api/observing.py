"""Every request gets an id, a line in the log and its place in the metrics."""

from __future__ import annotations

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import logs
from api.metrics import Metrics

HEADER = "x-request-id"
_log = logging.getLogger(__name__)
_NO_ROUTE = "(none)"
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Observed:
    """ASGI middleware. A request that ends in an exception counts as status 500, one whose client went away before it
    was answered as 499."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own = logs.begin(Headers(scope=scope).get(HEADER, ""))
        scope.setdefault("state", {})["request_id"] = own
        status, began = 499, time.perf_counter()

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = own
            await send(message)

        try:
            await self._app(scope, receive, tell)
        except Exception:
            status = 500
            raise
        finally:
            self._tell(scope, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        route = _route(scope)
        self._metrics.count(method, route, status, seconds)
        extra = logs.facts(
            method=method, route=route, path=scope["path"], status=status, ms=round(seconds * 1000, 1), **_who(scope)
        )
        _log.info("%s %s %s", method, scope["path"], status, extra=extra)


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", _NO_ROUTE))


def _who(scope: Scope) -> dict[str, str]:
    key = scope["state"].get("key")
    return {"key": str(key)} if key else {}
