"""Watch on a silent model server: one that takes no connections any more will not finish what it has begun."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_SILENCE_S = 10.0
"""Chosen: longer than a prompt takes to prefill mostly, and far below the minute for which a stopping server may hold
its connections."""
_PROBE_TIMEOUT_S = 5.0
"""Chosen: a port that neither takes nor refuses a connection tells nothing, so that the answer is waited for."""


class SilenceWatch:
    """Context manager around one request. After a silence it tries the server's port, and ends the request if refused.

    A server that is told to stop (SIGTERM) closes its port at once and may keep its connections open without a word.
    `heard` is called for whatever arrives, `trace` is the request's extension of this name. `found_closed` tells
    whether the request was ended.
    """

    def __init__(self, url: str, silence_s: float | None = None) -> None:
        address = urlsplit(url)
        self._address = address.hostname or "", address.port or {"https": 443}.get(address.scheme, 80)
        self._silence_s = _SILENCE_S if silence_s is None else silence_s
        self._heard_at, self._ended = time.monotonic(), threading.Event()
        self._socket: socket.socket | None = None
        self.found_closed = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="silence-watch", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()

    def heard(self) -> None:
        """Remember that the server is at work."""
        self._heard_at = time.monotonic()

    def trace(self, event: str, info: dict[str, object]) -> None:
        """Remember the connection of the request once it is made."""
        stream = info.get("return_value")
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete") and stream is not None:
            found = stream.get_extra_info("socket")  # type: ignore[attr-defined]  # a network stream of httpcore
            self._socket = found if isinstance(found, socket.socket) else None
            self.heard()

    def _watch(self) -> None:
        """Try the port after each silence until the request ends."""
        while not self._ended.wait(self._silence_s):
            is_silent = time.monotonic() - self._heard_at >= self._silence_s
            connection = self._socket
            if is_silent and connection is not None and self._is_port_closed() and not self._ended.is_set():
                self.found_closed = True
                _shut_down(connection)
                return

    def _is_port_closed(self) -> bool:
        try:
            socket.create_connection(self._address, timeout=_PROBE_TIMEOUT_S).close()
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return False


def _shut_down(connection: socket.socket) -> None:
    """End a connection from both sides, so that a thread that reads from it goes on."""
    try:
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # past that of TLS, which would pull its state away
    except OSError:
        return
