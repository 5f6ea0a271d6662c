"""Fake web server on the loopback: serves files, badly where a test asks for it, and records requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A received request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeWebServer:
    """Settings and records of the server.

    `files` by path; any other path is 404. `redirects` lead elsewhere, `statuses` are answered to POSTs, one after the
    other, then 204. `byte_delay_s` is the pause after every byte, `withheld_bytes` how many at the end are never sent.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    byte_delay_s: float = 0.0
    withheld_bytes: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    sends_content_length: bool = True
    received_requests: list[ReceivedRequest] = field(default_factory=list)


@contextmanager
def run_web_server() -> Iterator[FakeWebServer]:
    """Run the server."""
    web_server = FakeWebServer()

    handler = type("Handler", (_Handler,), {"web_server": web_server})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    web_server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield web_server
    finally:
        web_server.stopping.set()
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
                if host.byte_delay_s and host.stopping.wait(host.byte_delay_s):
                    break
        except ConnectionError:
            pass
        self.close_connection = bool(host.withheld_bytes) or not host.sends_content_length

    def _send_head(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401 (as the library has it)
        """Write no log."""
