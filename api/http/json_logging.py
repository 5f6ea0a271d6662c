"""Structured logs: one JSON object a line, each with the id of the request that it is about."""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

_REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
_REQUEST_ID_PATTERN = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_FIELDS = "facts"


def bind_request_id(client_id: str) -> str:
    """The id of a request that begins: the one that came with it, where that can be an id, else a new one. Until the
    next request all that is logged in this context carries it."""
    request_id = client_id if _REQUEST_ID_PATTERN.fullmatch(client_id) else secrets.token_hex(8)
    _REQUEST_ID.set(request_id)
    return request_id


def log_fields(**values: str | int | float) -> dict[str, dict[str, str | int | float]]:
    """For `extra=` of a log call: fields of the line beside its message."""
    return {_FIELDS: values}


def configure_logging(level: int = logging.INFO) -> None:
    """Write the logs of the whole process to standard error in this form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, request, further facts, the traceback of an error."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := _REQUEST_ID.get():
            line["request"] = request
        line |= getattr(record, _FIELDS, {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
