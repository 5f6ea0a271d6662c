"""`/v1/uploads` and `/v1/imports`: what is to be indexed is sent as a form, or named by its path or URL."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Request
from pydantic import ValidationError

from api.auth import Writer
from api.bodies import Body, ImportBody, Name, Webhook
from api.job_shapes import JobShape
from api.multipart import read_form
from api.once import Named, Once
from api.problems import problem_responses
from api.server import Served, Server
from indexer.errors import CollectionNotFound, DatabaseUnavailable, QueryError
from services.jobs.types import IndexRequest, NewJob
from services.repeats import Repeatable
from services.rights import Rights

router = APIRouter(prefix="/v1", tags=["intake"], route_class=Once)
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["collection", "file"],
                    "properties": {
                        "collection": {"type": "string", "minLength": 1, "maxLength": 200},
                        "name": {"type": "string", "description": "What people see; left out: the file's own."},
                        "webhook": {"type": "string", "description": "A URL that is told when the job has ended."},
                        "file": {"type": "string", "format": "binary"},
                    },
                }
            }
        },
    }
}


class _Fields(Body):
    collection: Name
    name: str | None = None
    webhook: Webhook | None = None


@router.post(
    "/uploads",
    response_model=JobShape,
    status_code=202,
    responses=problem_responses(403, 404, 413, 503, 507),
    openapi_extra=_FORM,
)
async def upload(request: Request, served: Served, rights: Writer, named: Named) -> JobShape:
    """Send a video, photo or PDF, to be indexed by a job. Large files over poor lines: `/v1/uploads/tus`."""
    most = served.container.settings.intake.max_bytes
    with tempfile.TemporaryDirectory(dir=served.container.incoming()) as folder:
        path = Path(folder) / "file"
        with path.open("wb") as file:
            form = await read_form(request.headers.get("content-type", ""), request.stream(), file, most)
        fields = _checked(form.fields)
        name = fields.name or form.file_name or "file"
        return await served.turns.lookups.take(
            lambda: take_in(served, rights, path, name, fields.collection, fields.webhook, named)
        )


@router.post("/imports", response_model=JobShape, status_code=202, responses=problem_responses(403, 404, 503))
async def import_source(served: Served, rights: Writer, body: ImportBody, named: Named) -> JobShape:
    """Index a file or folder of the server, or what a URL gives, by a job. Only what the server's settings open."""

    def submit() -> JobShape:
        check_collection(rights, body.collection)
        served.container.intake.check(body.uri)
        address = urlsplit(body.uri)  # what follows its path may be secret
        name = body.name or unquote(address.path.rstrip("/").rpartition("/")[2]) or address.hostname or "file"
        new = NewJob(IndexRequest(body.uri, name), body.collection, rights.key_id, body.webhook)
        return JobShape.of(served.container.dispatch.submit(new, named))

    return await served.turns.lookups.take(submit)


def take_in(
    server: Server,
    rights: Rights,
    file: Path,
    name: str,
    collection: str,
    webhook: str | None,
    once: Repeatable | None = None,
) -> JobShape:
    """Keep an uploaded file, and have it indexed; sent again as `once`, by the job that has it already.

    Errors: CollectionNotFound, NotAllowed, StorageFull.
    """
    check_collection(rights, collection)
    intake = server.container.intake
    uri = intake.keep(file, name)
    new = NewJob(IndexRequest(uri, name), collection, rights.key_id, webhook)
    try:
        job = server.container.dispatch.submit(new, once)
    except DatabaseUnavailable:  # there may be a job all the same, and it needs the file
        raise
    except BaseException:
        intake.drop(collection, uri)
        raise
    if job.request != new.request:
        intake.drop(collection, uri)
    return JobShape.of(job)


def check_collection(rights: Rights, collection: str) -> None:
    """Errors: CollectionNotFound where nothing may be put into it; one that is not there is made."""
    if not rights.sees(collection):
        raise CollectionNotFound(f"no collection {collection!r}")


def _checked(fields: dict[str, str]) -> _Fields:
    try:
        return _Fields.model_validate(fields)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise QueryError(f"the form: {wrong}") from error
