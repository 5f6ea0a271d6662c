"""Routes `/v1/uploads/tus`: resumable uploads by tus 1.0 (creation, creation-with-upload, expiration, termination).

A router of our own, since an upload belongs to a key and a collection, its errors are problem+json, and a file is
handed to one job however often its last byte is sent.
"""

from __future__ import annotations

import base64
import binascii
import email.utils
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, HTTPException, Path, Request, Response
from starlette.requests import ClientDisconnect

from api.http.auth import WriteAccess
from api.http.context import AppContext, Context
from api.http.idempotency import IdempotencyKeyParam, IdempotentRoute
from api.http.problems import problem_responses
from api.http.routes.uploads import enqueue_upload, require_allowed_collection
from api.http.slots import LookupSlot
from indexer.errors import InvalidInput, LimitExceeded
from services.access.permissions import Permissions
from services.catalog.types import validate_collection_name
from services.database.idempotency import IdempotencyKey
from services.ingest.errors import UploadNotFound
from services.ingest.resumable_uploads import Upload

_VERSION, _CHUNK_MEDIA_TYPE = "1.0.0", "application/offset+octet-stream"
_EXTENSIONS = "creation,creation-with-upload,expiration,termination"
_WRITE_BYTES = 1 << 20
"""Form: bytes that are gathered before they are written to disk."""
_MAX_LENGTH = 1 << 62
"""Form: what fits an integer column of 64 bits; the setting `INGEST__MAX_BYTES` is the real limit."""
_JOB_HEADER = "afterimage-job"
_PROBLEMS = problem_responses(403, 404, 409, 412, 413, 415, 503, 507)


async def _require_tus_version(tus_resumable: Annotated[str, Header(description="`1.0.0`")] = "") -> None:
    if tus_resumable != _VERSION:
        raise HTTPException(412, f"this server supports tus {_VERSION} only", {"tus-version": _VERSION})


router = APIRouter(prefix="/v1/uploads/tus", tags=["ingest"], route_class=IdempotentRoute)
_TUS = [Depends(_require_tus_version)]
UploadIdParam = Annotated[str, Path(max_length=64, description="The upload's id.")]
UploadLengthParam = Annotated[
    int, Header(alias="upload-length", ge=0, lt=_MAX_LENGTH, description="Bytes of the whole file.")
]
UploadOffsetParam = Annotated[
    int, Header(alias="upload-offset", ge=0, lt=_MAX_LENGTH, description="Where these bytes go on.")
]
UploadMetadataParam = Annotated[
    str,
    Header(
        alias="upload-metadata",
        max_length=8000,
        description="`collection`, `filename` and, if wanted, `webhook`, each with its value in base64.",
    ),
]


@router.options("", status_code=204, response_class=Response, openapi_extra={"security": []})
async def describe_tus(context: Context) -> Response:
    """Describe the version and extensions of tus that are supported."""
    max_bytes = context.container.settings.ingest.max_bytes
    return _tus_response(204, {"tus-version": _VERSION, "tus-extension": _EXTENSIONS, "tus-max-size": str(max_bytes)})


@router.post("", status_code=201, response_class=Response, responses=_PROBLEMS, dependencies=_TUS)
async def create_upload(
    request: Request,
    context: Context,
    permissions: WriteAccess,
    idempotency_key: IdempotencyKeyParam,
    length: UploadLengthParam,
    metadata: UploadMetadataParam = "",
) -> Response:
    """Begin an upload; its address is in `Location`, a path. The request may carry the first bytes."""
    if length > (max_bytes := context.container.settings.ingest.max_bytes):
        raise LimitExceeded("the upload", f"is longer than {max_bytes} bytes")
    fields = _parse_metadata(metadata)
    upload = await context.limits.lookups.run(_begin_upload, context, permissions, length, fields, idempotency_key)
    headers = {"location": request.url_for("show_upload", upload_id=upload.id).path, **_expires_header(upload)}
    if upload.job_id is not None:  # a retried request, whose upload is complete
        headers |= _completed_headers(upload, upload.job_id)
    elif received_bytes := context.container.uploads.offset(upload):
        headers["upload-offset"] = str(received_bytes)
    elif request.headers.get("content-type") == _CHUNK_MEDIA_TYPE:
        headers |= await _append_body(request, context, permissions, upload, 0)
    elif length == 0:
        headers |= await context.limits.lookups.run(_submit_indexing, context, permissions, upload)
    return _tus_response(201, headers)


@router.head("/{upload_id}", response_class=Response, responses=_PROBLEMS, dependencies=_TUS)
def show_upload(context: Context, permissions: WriteAccess, upload_id: UploadIdParam, _slot: LookupSlot) -> Response:
    """Tell how many bytes of an upload have arrived."""
    upload = _require_own_upload(context, permissions, upload_id)
    headers = {"upload-length": str(upload.length), "upload-offset": str(context.container.uploads.offset(upload))}
    if upload.job_id is not None:
        headers[_JOB_HEADER] = upload.job_id
    return _tus_response(200, {**headers, "cache-control": "no-store", **_expires_header(upload)})


@router.patch(
    "/{upload_id}",
    status_code=204,
    response_class=Response,
    responses=_PROBLEMS,
    dependencies=_TUS,
)
async def continue_upload(
    request: Request, context: Context, permissions: WriteAccess, upload_id: UploadIdParam, offset: UploadOffsetParam
) -> Response:
    """Append the next bytes. With the last one a job is submitted that indexes the file: `Afterimage-Job` is its id."""
    if request.headers.get("content-type") != _CHUNK_MEDIA_TYPE:
        raise HTTPException(415, f"the Content-Type must be {_CHUNK_MEDIA_TYPE}")
    upload = await context.limits.lookups.run(_require_own_upload, context, permissions, upload_id)
    headers = await _append_body(request, context, permissions, upload, offset)
    return _tus_response(204, {**headers, **_expires_header(upload)})


@router.delete("/{upload_id}", status_code=204, response_class=Response, responses=_PROBLEMS, dependencies=_TUS)
def delete_upload(context: Context, permissions: WriteAccess, upload_id: UploadIdParam, _slot: LookupSlot) -> Response:
    """Discard an upload."""
    context.container.uploads.discard(_require_own_upload(context, permissions, upload_id))
    return _tus_response(204, {})


def _begin_upload(
    context: AppContext,
    permissions: Permissions,
    length: int,
    fields: dict[str, str],
    idempotency_key: IdempotencyKey | None,
) -> Upload:
    """Create an upload from its metadata. Errors: InvalidInput, CollectionNotFound, SourceForbidden."""
    collection, name = validate_collection_name(fields.get("collection", "")), fields.get("filename") or "file"
    webhook = fields.get("webhook")
    require_allowed_collection(permissions, collection)
    if webhook is not None:
        context.container.background.webhooks.validate_url(webhook)
    return context.container.uploads.create(length, name, collection, permissions.key_id, webhook, idempotency_key)


async def _append_body(
    request: Request, context: AppContext, permissions: Permissions, upload: Upload, offset: int
) -> dict[str, str]:
    """Append the body of a request to an upload, as far as it arrives; return the headers that say how far that is."""
    uploads = context.container.uploads
    if upload.job_id is None:
        with uploads.append(upload, offset) as part:
            at, buffer = offset, bytearray()
            try:
                async for piece in request.stream():
                    if at + len(buffer) + len(piece) > upload.length:
                        raise LimitExceeded(
                            "the upload", f"is longer than the {upload.length} bytes that were announced"
                        )
                    buffer += piece
                    if len(buffer) >= _WRITE_BYTES:
                        at += await to_thread.run_sync(part.write, bytes(buffer))
                        buffer.clear()
            except ClientDisconnect:
                pass
            at += await to_thread.run_sync(part.write, bytes(buffer))
            if at < upload.length:
                return {"upload-offset": str(at)}
            part.flush()
            return await context.limits.lookups.run(_submit_indexing, context, permissions, upload)
    return _completed_headers(upload, upload.job_id)


def _submit_indexing(context: AppContext, permissions: Permissions, upload: Upload) -> dict[str, str]:
    """Submit the job that indexes a complete upload, once, though its last byte may be sent twice: a server may be
    killed before it has answered."""
    uploads = context.container.uploads
    idempotency_key = IdempotencyKey(permissions.key_id or "", f"upload {upload.id}", upload.id)
    job = enqueue_upload(
        context, permissions, uploads.path(upload), upload.name, upload.collection, upload.webhook, idempotency_key
    )
    uploads.finish(upload, job.id)
    return _completed_headers(upload, job.id)


def _completed_headers(upload: Upload, job_id: str) -> dict[str, str]:
    return {"upload-offset": str(upload.length), _JOB_HEADER: job_id}


def _require_own_upload(context: AppContext, permissions: Permissions, upload_id: str) -> Upload:
    """Return an upload of the key that began it. Errors: UploadNotFound."""
    upload = context.container.uploads.get(upload_id)
    if upload.key_id != permissions.key_id or not permissions.allows(upload.collection):
        raise UploadNotFound(f"no upload {upload_id!r}")
    return upload


def _parse_metadata(header: str) -> dict[str, str]:
    """Parse `Upload-Metadata` (tus 1.0, creation): pairs of a name and a base64 value. Errors: InvalidInput."""
    fields: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        name, _, value = pair.partition(" ")
        try:
            fields[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise InvalidInput(f"Upload-Metadata: {name!r} is no base64 of text") from error
    return fields


def _expires_header(upload: Upload) -> dict[str, str]:
    return {"upload-expires": email.utils.formatdate(upload.expires_at, usegmt=True)}


def _tus_response(status: int, headers: dict[str, str]) -> Response:
    return Response(status_code=status, headers={"tus-resumable": _VERSION, **headers})
