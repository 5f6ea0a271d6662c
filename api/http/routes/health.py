"""Routes for operators: liveness, readiness and metrics."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Response

from api.http.auth import AdminAccess
from api.http.context import Context
from api.http.metrics import CONTENT_TYPE
from api.http.problems import problem_responses
from api.http.slots import LookupSlot
from api.schemas.responses import QueueShape, Readiness
from indexer.errors import AfterimageError
from services.container import Container
from services.jobs.statistics import QueueStatistics
from services.jobs.types import JobQueueName

router = APIRouter(tags=["health"])
_NO_AUTH: dict[str, Any] = {"security": []}
_LOW_DISK_BYTES = 1_000_000_000
"""Chosen: a gigabyte; uploads and indexing fail soon after."""


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
    """Readiness: catalog and index answer, and the models are loaded; 503 otherwise. Queues and disk are told, too.

    `storage` is `read-only` where the archive can be searched and asked, and not changed.
    """
    container, parts = context.container, {"models": context.warmup.state}
    for name, probe in (("catalog", container.catalog.collections), ("index", container.index.generation)):
        try:
            probe()
            parts[name] = "ready"
        except AfterimageError as error:
            parts[name] = type(error).__name__
    ready = set(parts.values()) == {"ready"}
    parts["storage"] = "read-only" if container.database.is_read_only else "ready"
    response.status_code = 200 if ready else 503
    queues, free_bytes = _describe_queues(container), _free_bytes(container.home)
    return Readiness(
        ready=ready,
        parts=parts,
        queues={queue.value: QueueShape.of(now) for queue, now in queues.items()},
        disk_free_bytes=free_bytes,
        notes=_list_notes(queues, free_bytes),
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Prometheus text", "content": {"text/plain": {}}}, **problem_responses(503)},
)
def metrics(context: Context, _permissions: AdminAccess, _slot: LookupSlot) -> Response:
    """Render the metrics as Prometheus text."""
    return Response(context.metrics.render(), media_type=CONTENT_TYPE)


def _describe_queues(container: Container) -> Mapping[JobQueueName, QueueStatistics]:
    """Return the state of the queues; empty where the database is away, which `parts` say."""
    with suppress(AfterimageError):
        return container.background.statistics.describe_queues()
    return {}


def _free_bytes(home: Path) -> int | None:
    with suppress(OSError):
        return shutil.disk_usage(home).free
    return None


def _list_notes(queues: Mapping[JobQueueName, QueueStatistics], free_bytes: int | None) -> list[str]:
    idle = [f"no worker takes jobs of queue {queue}" for queue, now in queues.items() if not now.workers]
    if free_bytes is not None and free_bytes < _LOW_DISK_BYTES:
        return [*idle, f"the disk is nearly full: {free_bytes // 1_000_000} MB are free"]
    return idle
