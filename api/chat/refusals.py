"""The errors of these routes, as OpenAI's clients read them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.chat.replies import ErrorDetail, ErrorShape
from api.once import Once
from api.problems import Problem, request_id, told_of
from indexer.errors import AfterimageError

_Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]
_KIND = "urn:afterimage:"
_CODES = {
    "key-refused": "invalid_api_key",
    "right-missing": "insufficient_permissions",
    "collection-not-found": "model_not_found",
    "too-many-requests": "rate_limit_exceeded",
}
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorShape, "description": "An error, in OpenAI's shape"} for status in ("4XX", "5XX")
}
"""What the documentation says of errors."""


class ChatRoute(Once):
    """A route whose errors have OpenAI's shape."""

    def get_route_handler(self) -> _Handler:
        """The handler, whose errors are told so."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except (AfterimageError, RequestValidationError, HTTPException) as error:
                problem, headers = told_of(error, request_id(request))
                return JSONResponse(error_of(problem).model_dump(), _status(problem), headers)

        return answer


def error_of(problem: Problem) -> ErrorShape:
    """A problem in OpenAI's shape."""
    kind, status = problem.type.removeprefix(_KIND), _status(problem)
    default = "server_error" if status >= 500 else "invalid_request_error"
    code = _CODES.get(kind)
    param = problem.errors[0].where.removeprefix("body.") if problem.errors else None
    if code == "model_not_found":
        param = "model"
    return ErrorShape(
        error=ErrorDetail(message=problem.detail, type=_TYPES.get(status, default), param=param, code=code)
    )


def _status(problem: Problem) -> int:
    """OpenAI says 400 where a request makes no sense."""
    return 400 if problem.status == 422 else problem.status
