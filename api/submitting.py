"""Jobs that requests ask for."""

from __future__ import annotations

from api.job_shapes import JobShape
from api.server import Server
from services.jobs.types import NewJob, Request
from services.rights import Rights


def submitted(
    server: Server, rights: Rights, request: Request, collection: str | None, webhook: str | None = None
) -> JobShape:
    """A job of this request, on its way. Errors: NotAllowed for a webhook that may not be told."""
    return JobShape.of(server.container.dispatch.submit(NewJob(request, collection, rights.key_id, webhook)))
