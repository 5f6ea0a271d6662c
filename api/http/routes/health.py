"""Whether the server lives, whether it can do its work, and what it counts."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from api.http.auth import AdminAccess
from api.http.context import AppContext, Context
from api.http.metrics import CONTENT_TYPE
from api.http.problems import problem_responses
from api.schemas.responses import Readiness
from indexer.errors import AfterimageError

router = APIRouter(tags=["health"])
_NO_AUTH: dict[str, Any] = {"security": []}


@router.get(
    "/livez",
    response_class=Response,
    responses={200: {"description": "`ok`", "content": {"text/plain": {}}}},
    openapi_extra=_NO_AUTH,
)
async def livez() -> Response:
    """The process answers. Nothing else is asked."""
    return Response("ok\n", media_type="text/plain")


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Not ready"}},
    openapi_extra=_NO_AUTH,
)
async def readyz(context: Context, response: Response) -> Readiness:
    """Whether questions can be answered: the catalog and the index are there, and the models are loaded."""
    readiness = await context.limits.lookups.run(lambda: _check_readiness(context))
    response.status_code = 200 if readiness.ready else 503
    return readiness


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Prometheus text", "content": {"text/plain": {}}}, **problem_responses(503)},
)
async def metrics(context: Context, _permissions: AdminAccess) -> Response:
    """Counters in the form of Prometheus."""
    return Response(await context.limits.lookups.run(context.metrics.render), media_type=CONTENT_TYPE)


def _check_readiness(context: AppContext) -> Readiness:
    container, parts = context.container, {"models": context.warmup.state}
    for name, probe in (("catalog", container.catalog.collections), ("index", container.index.generation)):
        try:
            probe()
            parts[name] = "ready"
        except AfterimageError as error:
            parts[name] = type(error).__name__
    return Readiness(ready=set(parts.values()) == {"ready"}, parts=parts)
