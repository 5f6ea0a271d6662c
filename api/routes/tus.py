"""`/v1/uploads/tus`: resumable uploads by tus 1.0 (creation, creation-with-upload, expiration, termination).

A router of our own, since an upload belongs to a key and a collection, its errors are problems like all others, and a
file counts as arrived once, when a job has it.
"""

from __future__ import annotations

import base64
import binascii
import email.utils
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, HTTPException, Path, Request, Response
from starlette.requests import ClientDisconnect

from api.auth import Writer
from api.once import Named, Once
from api.problems import problem_responses
from api.routes.uploads import check_collection, take_in
from api.server import Served, Server
from indexer.errors import LimitExceeded, QueryError, UploadNotFound
from services.catalog import checked_name
from services.repeats import Repeatable
from services.rights import Rights
from services.uploads import Upload

_VERSION, _OFFSETS = "1.0.0", "application/offset+octet-stream"
_EXTENSIONS = "creation,creation-with-upload,expiration,termination"
_AT_ONCE = 1 << 20
_LONGEST = 1 << 62
_JOB = "afterimage-job"
_PROBLEMS = problem_responses(403, 404, 409, 412, 413, 415, 503, 507)


def _speaks_tus(tus_resumable: Annotated[str, Header(description="`1.0.0`")] = "") -> None:
    if tus_resumable != _VERSION:
        raise HTTPException(412, f"this is tus {_VERSION}", {"tus-version": _VERSION})


router = APIRouter(prefix="/v1/uploads/tus", tags=["intake"], route_class=Once)
_TUS = [Depends(_speaks_tus)]
Id = Annotated[str, Path(max_length=64, description="The upload's id.")]
Length = Annotated[int, Header(alias="upload-length", ge=0, lt=_LONGEST, description="Bytes of the whole file.")]
Offset = Annotated[int, Header(alias="upload-offset", ge=0, lt=_LONGEST, description="Where these bytes go on.")]
Metadata = Annotated[
    str,
    Header(
        alias="upload-metadata",
        max_length=8000,
        description="`collection`, `filename` and, if wanted, `webhook`, each with its value in base64.",
    ),
]


@router.options("", status_code=204, response_class=Response, openapi_extra={"security": []})
async def describe_tus(served: Served) -> Response:
    """What of tus is spoken here."""
    most = served.container.settings.intake.max_bytes
    return _answer(204, {"tus-version": _VERSION, "tus-extension": _EXTENSIONS, "tus-max-size": str(most)})


@router.post("", status_code=201, response_class=Response, responses=_PROBLEMS, dependencies=_TUS)
async def create_upload(
    request: Request, served: Served, rights: Writer, named: Named, length: Length, metadata: Metadata = ""
) -> Response:
    """Begin an upload; its address is in `Location`. The first bytes may come along."""
    if length > (most := served.container.settings.intake.max_bytes):
        raise LimitExceeded("the upload", f"is longer than {most} bytes")
    about = _metadata(metadata)
    collection, name = checked_name(about.get("collection", "")), about.get("filename") or "file"
    webhook = about.get("webhook")
    check_collection(rights, collection)

    def begin() -> Upload:
        if webhook is not None:
            served.container.webhooks.check(webhook)
        return served.container.uploads.begin(length, name, collection, rights.key_id, webhook, named)

    upload = await served.turns.lookups.take(begin)
    headers = {"location": str(request.url_for("show_upload", upload_id=upload.id)), **_expires(upload)}
    if upload.job_id is not None:  # it was begun before
        headers |= _arrived(upload, upload.job_id)
    elif there := served.container.uploads.offset(upload):
        headers["upload-offset"] = str(there)
    elif request.headers.get("content-type") == _OFFSETS:
        headers |= await _take(request, served, rights, upload, 0)
    elif length == 0:
        headers |= await served.turns.lookups.take(lambda: _finished(served, rights, upload))
    return _answer(201, headers)


@router.head("/{upload_id}", response_class=Response, responses=_PROBLEMS, dependencies=_TUS)
async def show_upload(served: Served, rights: Writer, upload_id: Id) -> Response:
    """How much of an upload has come."""

    def show() -> Response:
        upload = _own(served, rights, upload_id)
        headers = {"upload-length": str(upload.length), "upload-offset": str(served.container.uploads.offset(upload))}
        if upload.job_id is not None:
            headers[_JOB] = upload.job_id
        return _answer(200, {**headers, "cache-control": "no-store", **_expires(upload)})

    return await served.turns.lookups.take(show)


@router.patch(
    "/{upload_id}",
    status_code=204,
    response_class=Response,
    responses=_PROBLEMS,
    dependencies=_TUS,
)
async def continue_upload(request: Request, served: Served, rights: Writer, upload_id: Id, offset: Offset) -> Response:
    """Send what comes next. With the last byte a job begins to index the file: `Afterimage-Job` is its id."""
    if request.headers.get("content-type") != _OFFSETS:
        raise HTTPException(415, f"Content-Type: {_OFFSETS}")
    upload = await served.turns.lookups.take(lambda: _own(served, rights, upload_id))
    return _answer(204, {**await _take(request, served, rights, upload, offset), **_expires(upload)})


@router.delete("/{upload_id}", status_code=204, response_class=Response, responses=_PROBLEMS, dependencies=_TUS)
async def drop_upload(served: Served, rights: Writer, upload_id: Id) -> Response:
    """Give an upload up."""
    await served.turns.lookups.take(lambda: served.container.uploads.drop(_own(served, rights, upload_id)))
    return _answer(204, {})


async def _take(request: Request, server: Server, rights: Rights, upload: Upload, offset: int) -> dict[str, str]:
    """Write what a request brings, as far as it comes; the headers that say how far that is."""
    uploads = server.container.uploads
    if upload.job_id is None:
        with uploads.writing(upload, offset) as part:
            at, held = offset, bytearray()
            try:
                async for piece in request.stream():
                    if at + len(held) + len(piece) > upload.length:
                        raise LimitExceeded(
                            "the upload", f"is longer than the {upload.length} bytes that it was to have"
                        )
                    held += piece
                    if len(held) >= _AT_ONCE:
                        at += await to_thread.run_sync(part.write, bytes(held))
                        held.clear()
            except ClientDisconnect:
                pass
            at += await to_thread.run_sync(part.write, bytes(held))
            if at < upload.length:
                return {"upload-offset": str(at)}
            part.flush()
            return await server.turns.lookups.take(lambda: _finished(server, rights, upload))
    return _arrived(upload, upload.job_id)


def _finished(server: Server, rights: Rights, upload: Upload) -> dict[str, str]:
    """Its last byte may come twice, where a server was killed before it could say that a job has it."""
    uploads, once = server.container.uploads, Repeatable(rights.key_id or "", f"upload {upload.id}", upload.id)
    job = take_in(server, rights, uploads.path(upload), upload.name, upload.collection, upload.webhook, once)
    uploads.finish(upload, job.id)
    return _arrived(upload, job.id)


def _arrived(upload: Upload, job_id: str) -> dict[str, str]:
    return {"upload-offset": str(upload.length), _JOB: job_id}


def _own(server: Server, rights: Rights, upload_id: str) -> Upload:
    """An upload is seen by the key that began it. Errors: UploadNotFound."""
    upload = server.container.uploads.get(upload_id)
    if upload.key_id != rights.key_id or not rights.sees(upload.collection):
        raise UploadNotFound(f"no upload {upload_id!r}")
    return upload


def _metadata(header: str) -> dict[str, str]:
    """Errors: QueryError."""
    named: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        name, _, value = pair.partition(" ")
        try:
            named[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise QueryError(f"Upload-Metadata: {name!r} is no base64 of text") from error
    return named


def _expires(upload: Upload) -> dict[str, str]:
    return {"upload-expires": email.utils.formatdate(upload.expires_at, usegmt=True)}


def _answer(status: int, headers: dict[str, str]) -> Response:
    return Response(status_code=status, headers={"tus-resumable": _VERSION, **headers})
