"""Whether the server lives, whether it can do its work, and what it counts."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from api.auth import Admin
from api.metrics import CONTENT_TYPE
from api.problems import problem_responses
from api.replies import Readiness
from api.server import Served, Server
from indexer.errors import AfterimageError

router = APIRouter(tags=["health"])
_NO_KEY: dict[str, Any] = {"security": []}


@router.get(
    "/livez",
    response_class=Response,
    responses={200: {"description": "`ok`", "content": {"text/plain": {}}}},
    openapi_extra=_NO_KEY,
)
async def livez() -> Response:
    """The process answers. Nothing else is asked."""
    return Response("ok\n", media_type="text/plain")


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Not ready"}},
    openapi_extra=_NO_KEY,
)
async def readyz(served: Served, response: Response) -> Readiness:
    """Whether questions can be answered: the catalog and the index are there, and the models are loaded."""
    found = await served.turns.lookups.take(lambda: _readiness(served))
    response.status_code = 200 if found.ready else 503
    return found


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Prometheus text", "content": {"text/plain": {}}}, **problem_responses(503)},
)
async def metrics(served: Served, _rights: Admin) -> Response:
    """Counters in the form of Prometheus."""
    return Response(await served.turns.lookups.take(served.metrics.text), media_type=CONTENT_TYPE)


def _readiness(server: Server) -> Readiness:
    container, parts = server.container, {"models": server.models.state}
    for name, probe in (("catalog", container.catalog.collections), ("index", container.index.generation)):
        try:
            probe()
            parts[name] = "ready"
        except AfterimageError as error:
            parts[name] = type(error).__name__
    return Readiness(ready=set(parts.values()) == {"ready"}, parts=parts)
