"""Errors of the OpenAI-compatible routes, in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.http.idempotency import IdempotentRoute
from api.http.problems import request_id, to_response
from api.openai.responses import ErrorDetail, ErrorShape
from api.schemas.problem import Problem
from indexer.errors import AfterimageError

_Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]
_URN_PREFIX = "urn:afterimage:"
_ERROR_CODES = {
    "invalid-api-key": "invalid_api_key",
    "insufficient-scope": "insufficient_permissions",
    "collection-not-found": "model_not_found",
    "too-many-requests": "rate_limit_exceeded",
}
_ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
"""Source: OpenAI's API reference, error codes."""
ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorShape, "description": "An error, in OpenAI's shape"} for status in ("4XX", "5XX")
}
"""The `responses` of the routes' documentation for errors."""


class ChatRoute(IdempotentRoute):
    """Route whose errors have OpenAI's shape."""

    def get_route_handler(self) -> _Handler:
        """Return the route's handler, wrapped so that errors are converted."""
        handle = super().get_route_handler()

        async def handle_errors(request: Request) -> Response:
            try:
                return await handle(request)
            except (AfterimageError, RequestValidationError, HTTPException) as error:
                problem, headers = to_response(error, request_id(request))
                return JSONResponse(to_openai_error(problem).model_dump(), _openai_status(problem), headers)

        return handle_errors


def to_openai_error(problem: Problem) -> ErrorShape:
    """Convert a problem to OpenAI's shape."""
    kind, status = problem.type.removeprefix(_URN_PREFIX), _openai_status(problem)
    default = "server_error" if status >= 500 else "invalid_request_error"
    code = _ERROR_CODES.get(kind)
    param = problem.errors[0].where.removeprefix("body.") if problem.errors else None
    if code == "model_not_found":
        param = "model"
    return ErrorShape(
        error=ErrorDetail(message=problem.detail, type=_ERROR_TYPES.get(status, default), param=param, code=code)
    )


def _openai_status(problem: Problem) -> int:
    """Return OpenAI's status for a problem: 400 instead of 422."""
    return 400 if problem.status == 422 else problem.status
