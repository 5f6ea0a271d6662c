"""Connections pinned to the addresses that the URL policy has checked, with a deadline for the whole request."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore2

from services.egress.url_policy import UrlPolicy


class PinnedAddressBackend(httpcore2.SyncBackend):
    """Network backend that resolves names by `policy` and ends all connections `total_timeout_s` after construction.

    A name cannot point elsewhere between check and connection (DNS rebinding; decision 0046).
    """

    def __init__(self, policy: UrlPolicy, total_timeout_s: float) -> None:
        self._policy, self._deadline = policy, time.monotonic() + total_timeout_s

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address that accepts. Errors: SourceForbidden, RemoteUnavailable, those of httpcore2."""
        *others, last = self._policy.resolve(host, port)
        for address in others:
            try:
                return self._connect(address, port, timeout, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return self._connect(last, port, timeout, socket_options)

    def _connect(
        self,
        address: str,
        port: int,
        timeout: float | None,
        options: Iterable[httpcore2.SOCKET_OPTION] | None,
    ) -> httpcore2.NetworkStream:
        """Connect to one checked address."""
        stream = super().connect_tcp(address, port, self._remaining_s(timeout), None, options)
        return _DeadlineStream(stream, self._remaining_s)

    def _remaining_s(self, timeout: float | None) -> float:
        """Return the timeout of one step, at most the time left. Errors: httpcore2.ReadTimeout where none is left."""
        remaining_s = self._deadline - time.monotonic()
        if remaining_s <= 0:
            raise httpcore2.ReadTimeout("the time limit has passed")
        return remaining_s if timeout is None else min(timeout, remaining_s)


class _DeadlineStream(httpcore2.NetworkStream):
    """Connection under a deadline, so that a server that sends a byte now and then cannot keep it open."""

    def __init__(self, stream: httpcore2.NetworkStream, remaining_s: Callable[[float | None], float]) -> None:
        self._stream, self._remaining_s = stream, remaining_s

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read at most `max_bytes`."""
        return self._stream.read(max_bytes, self._remaining_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write the buffer."""
        self._stream.write(buffer, self._remaining_s(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """Return the connection with TLS, under the same deadline."""
        secured = self._stream.start_tls(ssl_context, server_hostname, self._remaining_s(timeout))
        return _DeadlineStream(secured, self._remaining_s)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 (as the library has it)
        """Return what the library knows of the connection."""
        return self._stream.get_extra_info(info)
