"""HTTP server on a free port, in a thread of the test's process."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx2
import uvicorn

from api.app import create_app
from services.container import Container
from tests.support.waiting import TIMEOUT_S

_POLL_INTERVAL_S = 0.01


@contextmanager
def live_server(container: Container, *, allow_anonymous: bool = True, ready_path: str = "/readyz") -> Iterator[str]:
    """Run a server over these services; gives its address once `ready_path` is answered."""
    app = create_app(container, allow_anonymous=allow_anonymous)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=int(TIMEOUT_S)
    )
    server = uvicorn.Server(config)
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:  # asyncio sends small packets at once if it knows
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            _wait_until_ready(url + ready_path, thread)
            yield url
        finally:
            server.should_exit = True
            thread.join()


def _wait_until_ready(url: str, thread: threading.Thread) -> None:
    with httpx2.Client(timeout=TIMEOUT_S) as client:
        while thread.is_alive():
            with suppress(httpx2.TransportError):
                if client.get(url).status_code == 200:
                    return
            time.sleep(_POLL_INTERVAL_S)
    raise RuntimeError("the server has stopped before it was ready")


def read_events(response: httpx2.Response) -> Iterator[tuple[str, Any]]:
    """Yield the server-sent events of a response, as names and decoded data."""
    name, data = "", ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data = line.removeprefix("data: ")
        elif not line and name:
            yield name, json.loads(data)
            name, data = "", ""
