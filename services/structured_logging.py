"""Structured logging: one JSON object per line, with the ids of the current request, job and trace."""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from services.tracing import current_trace_id

_REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
_JOB_ID: ContextVar[str] = ContextVar("job_id", default="")
_REQUEST_ID_PATTERN = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_FIELDS = "facts"


def bind_request_id(client_id: str) -> str:
    """Set and return the request id that log lines of this context carry: the client's if well-formed, or a new one."""
    request_id = client_id if _REQUEST_ID_PATTERN.fullmatch(client_id) else secrets.token_hex(8)
    _REQUEST_ID.set(request_id)
    return request_id


@contextmanager
def bind_job_id(job_id: str) -> Iterator[None]:
    """Have the log lines of this context carry a job's id until the block ends."""
    token = _JOB_ID.set(job_id)
    try:
        yield
    finally:
        _JOB_ID.reset(token)


def log_fields(**values: str | int | float) -> dict[str, dict[str, str | int | float]]:
    """Return the `extra` of a log call that adds fields to its line."""
    return {_FIELDS: values}


def configure_logging(level: int = logging.INFO) -> None:
    """Configure the logging of the whole process: JSON lines on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: time, level, logger, message, ids, further fields, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line of JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        ids = {"request": _REQUEST_ID.get(), "job": _JOB_ID.get(), "trace": current_trace_id()}
        line |= {name: value for name, value in ids.items() if value}
        line |= getattr(record, _FIELDS, {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
