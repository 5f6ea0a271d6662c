"""Request observation: an id, a log line and metrics for every request."""

from __future__ import annotations

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.metrics import Metrics
from services.structured_logging import bind_request_id, log_fields
from services.tracing import describe_span, open_span

REQUEST_ID_HEADER = "x-request-id"
_log = logging.getLogger(__name__)
_UNMATCHED_ROUTE = "(none)"
_CLIENT_CLOSED_REQUEST = 499
"""Source: nginx's status for a client that closed the connection before it was answered."""
_KNOWN_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class RequestObserver:
    """ASGI middleware that traces, logs and counts requests.

    One that raised counts as status 500, one that the client left as 499.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = bind_request_id(headers.get(REQUEST_ID_HEADER, ""))
        scope.setdefault("state", {})["request_id"] = request_id
        status, started_s = _CLIENT_CLOSED_REQUEST, time.perf_counter()

        async def send_with_request_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        with open_span("request", headers.get("traceparent"), request=request_id):
            try:
                await self._app(scope, receive, send_with_request_id)
            except Exception:
                status = 500
                raise
            finally:
                self._record(scope, status, time.perf_counter() - started_s)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _KNOWN_METHODS else "OTHER"
        route = _route_template(scope)
        describe_span(f"{method} {route}", route=route, status=status)
        self._metrics.observe_request(method, route, status, seconds)
        extra = log_fields(
            method=method,
            route=route,
            path=scope["path"],
            **_client_field(scope),
            status=status,
            ms=round(seconds * 1000, 1),
            **_key_field(scope),
        )
        _log.info("%s %s %s", method, scope["path"], status, extra=extra)


def _route_template(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", _UNMATCHED_ROUTE))


def _client_field(scope: Scope) -> dict[str, str]:
    return {"client": str(scope["client"][0])} if scope.get("client") else {}


def _key_field(scope: Scope) -> dict[str, str]:
    key = scope["state"].get("key_id")
    return {"key": str(key)} if key else {}
