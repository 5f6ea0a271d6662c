"""Idempotency-Key support: a retried POST gets the stored response; its effect happens once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeAlias

from anyio import to_thread
from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from api.http.auth import authenticate
from api.http.body_limit import UPLOADS_PATH
from api.http.context import AppContext
from indexer.errors import InvalidInput
from services.database.idempotency import IdempotencyKey, IdempotencyStore, StoredResponse

IDEMPOTENCY_HEADER = "idempotency-key"
_MAX_KEY_CHARS = 200
"""Chosen: room for any UUID or ULID with a prefix; more is no identifier."""
_MAX_STORED_BYTES = 1 << 20
"""Chosen: more than any JSON response of a POST has; keeps the table small against the cost of handling a retry."""
_UPLOAD_HEADER_PREFIX = "upload-"
_Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]


class IdempotentRoute(APIRoute):
    """Route that replays the stored response of a POST with the same `Idempotency-Key`.

    Two requests are the same if method, URL, media types, upload headers and body are; the body of an upload, which is
    not held in memory, counts by its length alone. A client that may not ask is refused before its body is read.

    Responses that are streams, server errors, marked `no-store` or over a megabyte are not stored: such a request is
    handled again, and a route that creates something does so once by means of `IdempotencyKeyParam`.
    """

    def get_route_handler(self) -> _Handler:
        """Return the route's handler, wrapped so that a stored response is replayed."""
        handle = super().get_route_handler()

        async def handle_once(request: Request) -> Response:
            """Handle a POST with an idempotency key once, every other request each time."""
            if request.method != "POST":
                return await handle(request)
            context, header_value = request.app.state.context, request.headers.get(IDEMPOTENCY_HEADER)
            assert isinstance(context, AppContext)
            await authenticate(request, context)  # before its body is read
            if header_value is None or context.container.database.is_read_only:  # nothing has an effect there
                return await handle(request)
            request.state.idempotency_key = key = await _parse_key(request, context, header_value)
            return await _replay_or_handle(request, context, key, handle)

        return handle_once


async def _current_key(request: Request) -> IdempotencyKey | None:
    key = getattr(request.state, "idempotency_key", None)
    assert key is None or isinstance(key, IdempotencyKey)
    return key


IdempotencyKeyParam = Annotated[IdempotencyKey | None, Depends(_current_key)]
"""The request's idempotency key as a parameter of a route; None where it has none."""


def document_header(operation: dict[str, Any]) -> None:
    """Add the header to the OpenAPI description of a POST operation."""
    about = "Names this request: sent again under the same name, it is answered as before and done once."
    schema = {"type": "string", "minLength": 1, "maxLength": _MAX_KEY_CHARS}
    parameter = {"name": IDEMPOTENCY_HEADER, "in": "header", "required": False, "description": about, "schema": schema}
    operation.setdefault("parameters", []).append(parameter)


async def _replay_or_handle(request: Request, context: AppContext, key: IdempotencyKey, handle: _Handler) -> Response:
    """Return the stored response of a key, or handle the request and store its response.

    Storing takes no slot: it must not fail where all are taken.
    """
    store = context.container.idempotency
    stored = await context.limits.lookups.run(store.claim, key)
    if stored is not None:
        return Response(stored.body, stored.status, {**stored.headers, "idempotency-replayed": "true"})
    new_response: StoredResponse | None = None
    try:
        response = await handle(request)
        new_response = _to_stored(response)
        return response
    finally:
        await to_thread.run_sync(_store_or_release, store, key, new_response)


def _store_or_release(store: IdempotencyStore, key: IdempotencyKey, response: StoredResponse | None) -> None:
    """Store the response of a claimed key, or release the claim where there is nothing to store."""
    if response is None:
        store.release(key)
    else:
        store.store(key, response)


async def _parse_key(request: Request, context: AppContext, name: str) -> IdempotencyKey:
    """Return the key of a request with the hash of its content. Errors: InvalidInput, those of `authenticate`."""
    if not 1 <= len(name) <= _MAX_KEY_CHARS or not name.isprintable():
        raise InvalidInput(f"Idempotency-Key: 1 to {_MAX_KEY_CHARS} printable characters")
    permissions = await authenticate(request, context)
    media_type = request.headers.get("content-type", "").partition(";")[0]
    if request.scope["path"].startswith(UPLOADS_PATH):
        body = request.headers.get("content-length", "").encode()
    else:
        body = await request.body()
    upload_headers = [
        f"{header}:{value}"
        for header, value in sorted(request.headers.items())
        if header.startswith(_UPLOAD_HEADER_PREFIX)
    ]
    parts = (request.method, str(request.url), media_type, request.headers.get("accept", ""), *upload_headers)
    fingerprint = "\0".join(parts).encode() + b"\0" + body
    return IdempotencyKey(permissions.key_id or "", name, hashlib.sha256(fingerprint).hexdigest())


def _to_stored(response: Response) -> StoredResponse | None:
    """Return a response in the form that is stored; None if it is not to be stored."""
    body = bytes(getattr(response, "body", b""))
    headers = dict(response.headers)
    is_whole = headers.pop("content-length", "0") == str(len(body))
    is_secret = "no-store" in headers.get("cache-control", "")
    if response.status_code >= 500 or not is_whole or is_secret or len(body) > _MAX_STORED_BYTES:
        return None
    return StoredResponse(response.status_code, headers, body)
