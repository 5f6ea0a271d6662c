"""Routes `/v1/uploads` and `/v1/imports`: index a file that is sent as a form, or a path or URL."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Request
from pydantic import ValidationError

from api.http.auth import WriteAccess
from api.http.context import AppContext, Context
from api.http.idempotency import IdempotencyKeyParam, IdempotentRoute
from api.http.multipart import read_form
from api.http.problems import problem_responses
from api.http.slots import LookupSlot
from api.schemas.jobs import JobShape
from api.schemas.requests import Body, CollectionName, ImportBody, WebhookUrl
from indexer.errors import InvalidInput
from services.access.permissions import Permissions
from services.catalog.errors import CollectionNotFound
from services.database.errors import DatabaseUnavailable
from services.database.idempotency import IdempotencyKey
from services.jobs.types import IndexRequest, NewJob

router = APIRouter(prefix="/v1", tags=["ingest"], route_class=IdempotentRoute)
_FORM_SCHEMA: dict[str, Any] = {
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
"""Form: documents the multipart body, which FastAPI does not parse. The limits are those of `_UploadFields`."""


class _UploadFields(Body):
    collection: CollectionName
    name: str | None = None
    webhook: WebhookUrl | None = None


@router.post(
    "/uploads",
    response_model=JobShape,
    status_code=202,
    responses=problem_responses(403, 404, 413, 503, 507),
    openapi_extra=_FORM_SCHEMA,
)
async def upload(
    request: Request, context: Context, permissions: WriteAccess, idempotency_key: IdempotencyKeyParam
) -> JobShape:
    """Upload a video, photo or PDF, to be indexed by a job. For large files over poor lines: `/v1/uploads/tus`."""
    max_bytes = context.container.settings.ingest.max_bytes
    with tempfile.TemporaryDirectory(dir=context.container.incoming_folder()) as folder:
        path = Path(folder) / "file"
        with path.open("wb") as file:
            form = await read_form(request.headers.get("content-type", ""), request.stream(), file, max_bytes)
        fields = _validate_fields(form.fields)
        name = fields.name or form.file_name or "file"
        return await context.limits.lookups.run(
            enqueue_upload, context, permissions, path, name, fields.collection, fields.webhook, idempotency_key
        )


@router.post("/imports", response_model=JobShape, status_code=202, responses=problem_responses(403, 404, 503))
def import_source(
    context: Context,
    permissions: WriteAccess,
    body: ImportBody,
    idempotency_key: IdempotencyKeyParam,
    _slot: LookupSlot,
) -> JobShape:
    """Index a file or folder of the server, or a URL, by a job. Only paths and hosts that the settings allow."""
    require_allowed_collection(permissions, body.collection)
    context.container.source_resolver.validate(body.uri)
    address = urlsplit(body.uri)  # its query may be secret and is not part of the name
    name = body.name or unquote(address.path.rstrip("/").rpartition("/")[2]) or address.hostname or "file"
    new = NewJob(IndexRequest(body.uri, name), body.collection, permissions.key_id, body.webhook)
    return JobShape.of(context.container.background.dispatcher.submit(new, idempotency_key))


def enqueue_upload(
    context: AppContext,
    permissions: Permissions,
    file: Path,
    name: str,
    collection: str,
    webhook: str | None,
    idempotency_key: IdempotencyKey | None = None,
) -> JobShape:
    """Store an uploaded file and submit a job that indexes it; a retried request gets the job of the first.

    Errors: CollectionNotFound, SourceForbidden, StorageFull.
    """
    require_allowed_collection(permissions, collection)
    resolver = context.container.source_resolver
    uri = resolver.store_upload(file, name)
    new = NewJob(IndexRequest(uri, name), collection, permissions.key_id, webhook)
    try:
        job = context.container.background.dispatcher.submit(new, idempotency_key)
    except DatabaseUnavailable:  # the job may have been committed, and needs the file
        raise
    except BaseException:
        resolver.delete_media(collection, uri)
        raise
    if job.request != new.request:
        resolver.delete_media(collection, uri)
    return JobShape.of(job)


def require_allowed_collection(permissions: Permissions, collection: str) -> None:
    """Raise CollectionNotFound unless a key may write to a collection, which need not exist yet."""
    if not permissions.allows(collection):
        raise CollectionNotFound(f"no collection {collection!r}")


def _validate_fields(fields: dict[str, str]) -> _UploadFields:
    """Return the typed fields of a form. Errors: InvalidInput."""
    try:
        return _UploadFields.model_validate(fields)
    except ValidationError as error:
        details = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise InvalidInput(f"the form: {details}") from error
