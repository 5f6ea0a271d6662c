"""`Idempotency-Key`: a POST that is sent again is answered as before, and done once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeAlias

from anyio import to_thread
from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from api.auth import rights_of
from api.limited import UPLOADS
from api.server import Server
from indexer.errors import QueryError
from services.repeats import Answered, Repeatable

HEADER = "idempotency-key"
_LONGEST_NAME, _MOST_BYTES = 200, 1 << 20
_TOLD = "upload-"
_Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]


class Once(APIRoute):
    """A route whose POST requests may be named by their clients. A request is the same where its address and its body
    are, and what its headers say of an upload; of what comes with an upload, which is not kept to be compared, only the
    length is looked at. Who may not ask at all is refused before a body is read.

    Answers of more than a megabyte or marked `no-store`, streams and failures of the server are not kept: such a
    request is done again, and a route that makes something makes it once by its name (`Named`).
    """

    def get_route_handler(self) -> _Handler:
        """The handler, which first looks whether there is an answer already."""
        handle = super().get_route_handler()

        async def once(request: Request) -> Response:
            if request.method != "POST":
                return await handle(request)
            server, name = request.app.state.server, request.headers.get(HEADER)
            assert isinstance(server, Server)
            await rights_of(request, server)  # before anything that it says is read
            if name is None:
                return await handle(request)
            request.state.named = named = await _named(request, server, name)
            return await _once(request, server, named, handle)

        return once


def _known(request: Request) -> Repeatable | None:
    named = getattr(request.state, "named", None)
    assert named is None or isinstance(named, Repeatable)
    return named


Named = Annotated[Repeatable | None, Depends(_known)]
"""The request by its name, as an argument of a route; None: it has none."""


def documented(operation: dict[str, Any]) -> None:
    """Describe the header in the OpenAPI document of a POST."""
    about = "Names this request: sent again under the same name, it is answered as before and done once."
    schema = {"type": "string", "minLength": 1, "maxLength": _LONGEST_NAME}
    parameter = {"name": HEADER, "in": "header", "required": False, "description": about, "schema": schema}
    operation.setdefault("parameters", []).append(parameter)


async def _once(request: Request, server: Server, named: Repeatable, handle: _Handler) -> Response:
    """The answer is kept without a turn: where all are taken, it must not get lost."""
    repeats = server.container.repeats
    before = await server.turns.lookups.take(lambda: repeats.begin(named))
    if before is not None:
        return Response(before.body, before.status, {**before.headers, "idempotency-replayed": "true"})
    kept: Answered | None = None
    try:
        response = await handle(request)
        kept = _kept(response)
        return response
    finally:
        answer = kept
        await to_thread.run_sync(lambda: repeats.drop(named) if answer is None else repeats.finish(named, answer))


async def _named(request: Request, server: Server, name: str) -> Repeatable:
    """Errors: QueryError for what is no name; those of whoever may not ask at all."""
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
        raise QueryError(f"Idempotency-Key: 1 to {_LONGEST_NAME} printable characters")
    rights = await rights_of(request, server)
    kind = request.headers.get("content-type", "")
    if request.scope["path"].startswith(UPLOADS):
        body = request.headers.get("content-length", "").encode()
    else:
        body = await request.body()
    told = [f"{name}:{value}" for name, value in sorted(request.headers.items()) if name.startswith(_TOLD)]
    about = (request.method, str(request.url), kind.partition(";")[0], request.headers.get("accept", ""), *told)
    said = "\0".join(about).encode() + b"\0" + body
    return Repeatable(rights.key_id or "", name, hashlib.sha256(said).hexdigest())


def _kept(response: Response) -> Answered | None:
    """What of a response can be given again; None: it is not kept."""
    body = bytes(getattr(response, "body", b""))
    headers = dict(response.headers)
    whole = headers.pop("content-length", "0") == str(len(body))
    secret = "no-store" in headers.get("cache-control", "")
    if response.status_code >= 500 or not whole or secret or len(body) > _MOST_BYTES:
        return None
    return Answered(response.status_code, headers, body)
