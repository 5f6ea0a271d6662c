"""The OpenAPI document: FastAPI's own, with our one error shape and the API keys of requests."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.http.idempotency import document_header
from api.http.problems import problem_responses
from api.openai.responses import CompletionChunkShape
from api.schemas.jobs import JobEventShape
from api.schemas.problem import Problem
from api.schemas.responses import EvidenceEvent, UsageShape
from api.schemas.results import AnswerShape, SentenceShape

_EVENT_SHAPES = (EvidenceEvent, SentenceShape, AnswerShape, UsageShape, JobEventShape, CompletionChunkShape, Problem)
_FASTAPI_SCHEMAS = ("HTTPValidationError", "ValidationError")
_DESCRIPTION = """Ask your video, photo and document archive. The answer comes with the frames that prove it.

Every error is `application/problem+json` (RFC 9457), but for the chat routes, whose errors have OpenAI's shape.
Lists come in parts: `after` of one asks for the next. Every response carries `X-Request-Id`, the id under which the
server's log has the request; a client may send its own."""


def customize_openapi(app: FastAPI) -> None:
    """Replace the OpenAPI document of an app by ours, built at its first request."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _build_document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # as FastAPI's documentation shows it


def make_operation_id(route: APIRoute) -> str:
    """Return the operation id of a route: the name of its function, which no change of its path changes."""
    return f"head_{route.name}" if route.methods == {"HEAD"} else route.name


def _build_document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _FASTAPI_SCHEMAS:
        schemas.pop(name, None)
    for shape in _EVENT_SHAPES:
        schema = shape.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[shape.__name__] = schema
    for operations in document["paths"].values():
        if "post" in operations:
            document_header(operations["post"])
            _add_problem_responses(operations["post"], 409)
        for operation in operations.values():
            if "security" not in operation:
                _add_problem_responses(operation, 401, 403, 429)
            if "requestBody" in operation:
                _add_problem_responses(operation, 400)
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"key": []}]
    return document


def _add_problem_responses(operation: dict[str, Any], *statuses: int) -> None:
    """Document errors that are raised before a route's function: by authentication, idempotency and body parsing.

    A route that documents all of its errors at once (`4XX`) is left as it is.
    """
    if "4XX" in operation["responses"]:
        return
    added = {str(status): response for status, response in problem_responses(*statuses).items()}
    operation["responses"] = dict(sorted({**added, **operation["responses"]}.items()))
