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
class ReceivedRequest:
    """A request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeWebServer:
    """`files` by path; a path that is none of them is 404. `redirects` lead elsewhere, `statuses` are answered to
    POSTs, one after the other, then 204. `drip_s` is the pause after every byte, `cut` how many bytes are kept back."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    byte_delay_s: float = 0.0
    withheld_bytes: int = 0
    sends_content_length: bool = True
    received_requests: list[ReceivedRequest] = field(default_factory=list)


@contextmanager
def run_web_server() -> Iterator[FakeWebServer]:
    """A running server."""
    web_server = FakeWebServer()

    class Handler(_Handler):
        serves = web_server

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    web_server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield web_server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    web_server: FakeWebServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        host = self.web_server
        host.received_requests.append(ReceivedRequest(self.path, dict(self.headers), b""))
        path = self.path.partition("?")[0]
        if path in host.redirects:
            self._send_head(302, [("location", host.redirects[path]), ("content-length", "0")])
        elif path in host.files:
            self._send_file(host.files[path])
        else:
            self._send_head(404, [("content-length", "0")])

    def do_POST(self) -> None:
        host = self.web_server
        body = self.rfile.read(int(self.headers["content-length"]))
        host.received_requests.append(ReceivedRequest(self.path, dict(self.headers), body))
        if self.path in host.redirects:
            self._send_head(307, [("location", host.redirects[self.path]), ("content-length", "0")])
        else:
            self._send_head(host.statuses.pop(0) if host.statuses else 204, [("content-length", "0")])

    def _send_file(self, data: bytes) -> None:
        host = self.web_server
        self._send_head(
            200, [("content-length", str(len(data)))] if host.sends_content_length else [("connection", "close")]
        )
        try:
            for first in range(0, len(data) - host.withheld_bytes, step := 1 if host.byte_delay_s else 1 << 16):
                self.wfile.write(data[first : min(first + step, len(data) - host.withheld_bytes)])
                time.sleep(host.byte_delay_s)
        except ConnectionError:
            pass
        self.close_connection = bool(host.withheld_bytes) or not host.sends_content_length

    def _send_head(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401 (as the library has it)
        """Says nothing."""
