"""A web server on the loopback that gives what tests need, badly where they ask for it, and keeps what it was sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Host:
    """`files` by path; a path that is none of them is 404. `redirects` lead elsewhere, `statuses` are answered to
    POSTs, one after the other, then 204. `drip_s` is the pause after every byte, `cut` how many bytes are kept back."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    drip_s: float = 0.0
    cut: int = 0
    announced: bool = True
    sent: list[Sent] = field(default_factory=list)


@contextmanager
def hosted() -> Iterator[Host]:
    """A running server."""
    host = Host()

    class Handler(_Handler):
        serves = host

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    host.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    serves: Host
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        host = self.serves
        host.sent.append(Sent(self.path, dict(self.headers), b""))
        path = self.path.partition("?")[0]
        if path in host.redirects:
            self._head(302, [("location", host.redirects[path]), ("content-length", "0")])
        elif path in host.files:
            self._give(host.files[path])
        else:
            self._head(404, [("content-length", "0")])

    def do_POST(self) -> None:
        host = self.serves
        body = self.rfile.read(int(self.headers["content-length"]))
        host.sent.append(Sent(self.path, dict(self.headers), body))
        if self.path in host.redirects:
            self._head(307, [("location", host.redirects[self.path]), ("content-length", "0")])
        else:
            self._head(host.statuses.pop(0) if host.statuses else 204, [("content-length", "0")])

    def _give(self, data: bytes) -> None:
        host = self.serves
        self._head(200, [("content-length", str(len(data)))] if host.announced else [("connection", "close")])
        try:
            for first in range(0, len(data) - host.cut, step := 1 if host.drip_s else 1 << 16):
                self.wfile.write(data[first : min(first + step, len(data) - host.cut)])
                time.sleep(host.drip_s)
        except ConnectionError:
            pass
        self.close_connection = bool(host.cut) or not host.announced

    def _head(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401 (as the library has it)
        """Says nothing."""
