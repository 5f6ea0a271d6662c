"""The server's request log, as lines that a test waits for."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

from services.structured_logging import JsonFormatter
from tests.support.waiting import TIMEOUT_S

_LOGGER = logging.getLogger("api.http.request_log")


class RequestLog(logging.Handler):
    """Collects the lines; they come after the answers."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self._lines.put(json.loads(self.format(record)))

    def wait_for_line(self, method: str, path: str) -> dict[str, Any]:
        """Return the next line of a method and path; what other requests leave may come late, and is passed over."""
        while True:
            line = self._lines.get(timeout=TIMEOUT_S)
            if (line["method"], line["path"]) == (method, path):
                return line


@contextmanager
def capture_request_log() -> Iterator[RequestLog]:
    """Collect the request log of servers in this process."""
    handler, level = RequestLog(), _LOGGER.level
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        _LOGGER.setLevel(level)
        _LOGGER.removeHandler(handler)
