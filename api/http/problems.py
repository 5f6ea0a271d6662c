"""Error responses as problem+json (RFC 9457): the one shape of every error that leaves the server."""

from __future__ import annotations

import logging
import math
from itertools import islice
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.status import HTTP_500_INTERNAL_SERVER_ERROR

from api.http.concurrency import Overloaded
from api.http.rate_limit import TooManyRequests
from api.schemas.problem import FieldProblem, Problem
from indexer.errors import (
    AfterimageError,
    AssetNotFound,
    BlobStoreUnavailable,
    IndexUnavailable,
    InvalidInput,
    LimitExceeded,
    ReadOnlyArchive,
    SourceError,
    SourceNotFound,
    StorageFull,
    WriteLockTimeout,
)
from services.access.errors import InsufficientScope, InvalidApiKey, InvalidMediaUrl, KeyNotFound
from services.catalog.errors import CollectionExists, CollectionInUse, CollectionNotFound
from services.database.errors import DatabaseUnavailable, IdempotencyConflict
from services.egress.errors import SourceForbidden
from services.generators.errors import GeneratorUnavailable
from services.ingest.errors import UploadConflict, UploadNotFound
from services.jobs.errors import JobConflict, JobNotFound, QueueUnavailable

_log = logging.getLogger(__name__)
_RETRY_AFTER_S = "5"
"""Seconds. Chosen: longer than most requests run, so that a slot is probably free."""
_CLIENT_CLOSED_REQUEST = 499
"""Source: nginx's status for a client that closed the connection before it was answered; only logs show it."""
_STATUS_BY_ERROR: tuple[tuple[type[AfterimageError], int], ...] = (
    (InvalidApiKey, 401),
    (InsufficientScope, 403),
    (InvalidMediaUrl, 403),
    (SourceForbidden, 403),
    (AssetNotFound, 404),
    (CollectionNotFound, 404),
    (SourceNotFound, 404),
    (JobNotFound, 404),
    (KeyNotFound, 404),
    (UploadNotFound, 404),
    (UploadConflict, 409),
    (IdempotencyConflict, 409),
    (JobConflict, 409),
    (CollectionExists, 409),
    (CollectionInUse, 409),
    (LimitExceeded, 413),
    (TooManyRequests, 429),
    (SourceError, 422),
    (InvalidInput, 422),
    (ReadOnlyArchive, 403),
    (StorageFull, 507),
    (WriteLockTimeout, 503),
    (IndexUnavailable, 503),
    (BlobStoreUnavailable, 503),
    (GeneratorUnavailable, 503),
    (DatabaseUnavailable, 503),
    (QueueUnavailable, 503),
    (Overloaded, 503),
)
"""HTTP status of each error; the first class that matches counts. Source: RFC 9110, section 15; 507 of RFC 4918."""
_TITLE_BY_STATUS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
    507: "Insufficient Storage",
}
"""Source: reason phrases of RFC 9110, section 15; 429 of RFC 6585, 507 of RFC 4918. `http.HTTPStatus` is older."""
_PUBLIC_SERVER_ERRORS = (WriteLockTimeout, Overloaded)
"""Server errors whose message is public; that of all others is in the log alone."""

_MAX_FIELDS = 20
"""Chosen: invalid fields that a problem lists; a client corrects the first ones and asks again."""


class ProblemResponse(JSONResponse):
    """JSON response with the media type of problems."""

    media_type = "application/problem+json"


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route's documentation for some error statuses; 422 is always among them."""
    content = {ProblemResponse.media_type: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _title(status), "content": content} for status in sorted({*statuses, 422})}


def add_exception_handlers(app: FastAPI) -> None:
    """Register handlers that answer every error of an app with a problem."""
    for kind in (AfterimageError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _on_error)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_exception_handler(Exception, _on_unhandled)


def to_response(error: Exception, request_id: str) -> tuple[Problem, dict[str, str]]:
    """Return the problem of an error, and the headers that go with it."""
    headers: dict[str, str] = {}
    match error:
        case RequestValidationError():
            problem = _validation_problem(error, request_id)
        case HTTPException():
            kind = _TYPE_BY_STATUS.get(error.status_code, "http-error")
            problem = _make_problem(kind, error.status_code, error.detail, request_id)
            headers = dict(error.headers or {})
        case _:
            problem = to_problem(error, request_id)
    if isinstance(error, InvalidApiKey):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, TooManyRequests):
        headers["retry-after"] = str(math.ceil(error.retry_after_s))
    if problem.status in (429, 503):
        headers.setdefault("retry-after", _RETRY_AFTER_S)
    return problem, headers


def to_problem(error: Exception, request_id: str) -> Problem:
    """Return the problem of an error; of a server error it discloses only that there is one, and logs the rest."""
    status = _status(error)
    if status >= HTTP_500_INTERNAL_SERVER_ERROR and not isinstance(error, _PUBLIC_SERVER_ERRORS):
        _log.error("%s: %s", type(error).__name__, error)
        detail = "the server's log has more under the id of this request"
    else:
        detail = error.reason if isinstance(error, SourceError) else str(error)
    kind = type(error).__name__ if isinstance(error, AfterimageError) else "InternalError"
    return _make_problem(_slug(kind), status, detail, request_id)


def request_id(request: Request) -> str:
    """Return the id of a request, which is also in the log."""
    return str(getattr(request.state, "request_id", ""))


def _status(error: Exception) -> int:
    return next(
        (status for kind, status in _STATUS_BY_ERROR if isinstance(error, kind)), HTTP_500_INTERNAL_SERVER_ERROR
    )


def _make_problem(
    kind: str, status: int, detail: str, request: str, fields: list[FieldProblem] | None = None
) -> Problem:
    return Problem(
        type=f"urn:afterimage:{kind}",
        title=_title(status),
        status=status,
        detail=detail,
        request=request,
        errors=fields or [],
    )


def _title(status: int) -> str:
    return _TITLE_BY_STATUS.get(status) or _TITLE_BY_STATUS[400 if status < HTTP_500_INTERNAL_SERVER_ERROR else 500]


def _slug(name: str) -> str:
    """Convert CamelCase to kebab-case."""
    return "".join(f"-{char.lower()}" if char.isupper() else char for char in name).lstrip("-")


async def _on_error(request: Request, error: Exception) -> ProblemResponse:
    problem, headers = to_response(error, request_id(request))
    return ProblemResponse(problem.model_dump(), problem.status, headers)


async def _on_unhandled(request: Request, error: Exception) -> ProblemResponse:
    """Answer an unexpected error; this response does not pass RequestObserver, so it sets the request id itself."""
    response = await _on_error(request, error)
    response.headers["x-request-id"] = request_id(request)
    return response


async def _on_disconnect(_request: Request, _error: Exception) -> Response:
    return Response(status_code=_CLIENT_CLOSED_REQUEST)


def _validation_problem(error: RequestValidationError, request: str) -> Problem:
    fields = [
        FieldProblem(where=".".join(str(part) for part in item["loc"]), message=str(item["msg"]))
        for item in islice(error.errors(), _MAX_FIELDS)
    ]
    detail = "; ".join(f"{field.where}: {field.message}" for field in fields)
    return _make_problem("invalid-request", 422, detail, request, fields)


_TYPE_BY_STATUS = {
    400: "bad-request",
    401: "invalid-api-key",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "conflict",
    412: "precondition-failed",
    413: "content-too-large",
    415: "unsupported-media-type",
    416: "range-not-satisfiable",
    429: "too-many-requests",
}
"""Kind of a problem that Starlette raised, by status. Source: RFC 9110, section 15."""
