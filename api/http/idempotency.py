"""`Idempotency-Key`: a POST that is sent again is answered as before, and done once."""

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
from services.database.idempotency import IdempotencyKey, StoredResponse

IDEMPOTENCY_HEADER = "idempotency-key"
_MAX_KEY_CHARS, _MAX_STORED_BYTES = 200, 1 << 20
_UPLOAD_HEADER_PREFIX = "upload-"
_Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]


class IdempotentRoute(APIRoute):
    """A route whose POST requests may be named by their clients. A request is the same where its address and its body
    are, and what its headers say of an upload; of what comes with an upload, which is not kept to be compared, only the
    length is looked at. Who may not ask at all is refused before a body is read.

    Answers of more than a megabyte or marked `no-store`, streams and failures of the server are not kept: such a
    request is done again, and a route that makes something makes it once by its name (`Named`).
    """

    def get_route_handler(self) -> _Handler:
        """The handler, which first looks whether there is an answer already."""
        handle = super().get_route_handler()

        async def handle_once(request: Request) -> Response:
            if request.method != "POST":
                return await handle(request)
            context, header_value = request.app.state.context, request.headers.get(IDEMPOTENCY_HEADER)
            assert isinstance(context, AppContext)
            await authenticate(request, context)  # before anything that it says is read
            if header_value is None:
                return await handle(request)
            request.state.idempotency_key = key = await _parse_key(request, context, header_value)
            return await _replay_or_handle(request, context, key, handle)

        return handle_once


def _current_key(request: Request) -> IdempotencyKey | None:
    key = getattr(request.state, "idempotency_key", None)
    assert key is None or isinstance(key, IdempotencyKey)
    return key


IdempotencyKeyParam = Annotated[IdempotencyKey | None, Depends(_current_key)]
"""The request by its name, as an argument of a route; None: it has none."""


def document_header(operation: dict[str, Any]) -> None:
    """Describe the header in the OpenAPI document of a POST."""
    about = "Names this request: sent again under the same name, it is answered as before and done once."
    schema = {"type": "string", "minLength": 1, "maxLength": _MAX_KEY_CHARS}
    parameter = {"name": IDEMPOTENCY_HEADER, "in": "header", "required": False, "description": about, "schema": schema}
    operation.setdefault("parameters", []).append(parameter)


async def _replay_or_handle(request: Request, context: AppContext, key: IdempotencyKey, handle: _Handler) -> Response:
    """The answer is kept without a turn: where all are taken, it must not get lost."""
    store = context.container.idempotency
    stored = await context.limits.lookups.run(lambda: store.claim(key))
    if stored is not None:
        return Response(stored.body, stored.status, {**stored.headers, "idempotency-replayed": "true"})
    new_response: StoredResponse | None = None
    try:
        response = await handle(request)
        new_response = _to_stored(response)
        return response
    finally:
        to_store = new_response
        await to_thread.run_sync(lambda: store.release(key) if to_store is None else store.store(key, to_store))


async def _parse_key(request: Request, context: AppContext, name: str) -> IdempotencyKey:
    """Errors: QueryError for what is no name; those of whoever may not ask at all."""
    if not 1 <= len(name) <= _MAX_KEY_CHARS or not name.isprintable():
        raise InvalidInput(f"Idempotency-Key: 1 to {_MAX_KEY_CHARS} printable characters")
    permissions = await authenticate(request, context)
    kind = request.headers.get("content-type", "")
    if request.scope["path"].startswith(UPLOADS_PATH):
        body = request.headers.get("content-length", "").encode()
    else:
        body = await request.body()
    upload_headers = [
        f"{name}:{value}" for name, value in sorted(request.headers.items()) if name.startswith(_UPLOAD_HEADER_PREFIX)
    ]
    about = (
        request.method,
        str(request.url),
        kind.partition(";")[0],
        request.headers.get("accept", ""),
        *upload_headers,
    )
    fingerprint = "\0".join(about).encode() + b"\0" + body
    return IdempotencyKey(permissions.key_id or "", name, hashlib.sha256(fingerprint).hexdigest())


def _to_stored(response: Response) -> StoredResponse | None:
    """What of a response can be given again; None: it is not kept."""
    body = bytes(getattr(response, "body", b""))
    headers = dict(response.headers)
    whole = headers.pop("content-length", "0") == str(len(body))
    secret = "no-store" in headers.get("cache-control", "")
    if response.status_code >= 500 or not whole or secret or len(body) > _MAX_STORED_BYTES:
        return None
    return StoredResponse(response.status_code, headers, body)
