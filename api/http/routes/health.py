"""Routes for operators: liveness, readiness and metrics."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from api.http.auth import AdminAccess
from api.http.context import Context
from api.http.metrics import CONTENT_TYPE
from api.http.problems import problem_responses
from api.http.slots import LookupSlot
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
    """Liveness: the process answers; nothing else is probed."""
    return Response("ok\n", media_type="text/plain")


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Not ready"}},
    openapi_extra=_NO_AUTH,
)
def readyz(context: Context, response: Response, _slot: LookupSlot) -> Readiness:
    """Readiness: catalog and index answer, and the models are loaded; 503 otherwise.

    `storage` is `read-only` where the archive can be searched and asked, and not changed.
    """
    container, parts = context.container, {"models": context.warmup.state}
    for name, probe in (("catalog", container.catalog.collections), ("index", container.index.generation)):
        try:
            probe()
            parts[name] = "ready"
        except AfterimageError as error:
            parts[name] = type(error).__name__
    is_ready = set(parts.values()) == {"ready"}
    parts["storage"] = "read-only" if container.database.is_read_only else "ready"
    readiness = Readiness(ready=is_ready, parts=parts)
    response.status_code = 200 if readiness.ready else 503
    return readiness


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Prometheus text", "content": {"text/plain": {}}}, **problem_responses(503)},
)
def metrics(context: Context, _permissions: AdminAccess, _slot: LookupSlot) -> Response:
    """Render the metrics as Prometheus text."""
    return Response(context.metrics.render(), media_type=CONTENT_TYPE)
