"""HTTP client for URLs from users, under the SSRF policy: downloads to a file, and POST requests (decision 0046)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpcore2

from indexer.errors import AfterimageError, LimitExceeded, SourceNotFound, StorageFull
from services.egress.errors import RemoteUnavailable
from services.egress.pinned_connections import PinnedAddressBackend
from services.egress.url_policy import DEFAULT_PORTS, AllowedUrl, UrlPolicy

_REDIRECT_STATUSES = (301, 302, 303, 307, 308)
"""Source: RFC 9110, section 15.4."""
_UNAVAILABLE_STATUSES = (401, 403, 404, 410, 451)
"""Source: RFC 9110, section 15.5, and RFC 7725: trying again later does not help."""
_MAX_REDIRECTS = 5
"""Chosen: enough for a shortened link to a CDN, few enough to end a loop soon."""
_TRANSPORT_ERRORS = (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError)
DownloadProgressCallback = Callable[[float, float | None], None]
"""Called with the bytes received so far and the total, None where the server does not tell."""


class OutboundClient:
    """HTTP client that reaches only what `policy` allows, at the addresses that were checked.

    It uses no proxy, no cookies and no settings of the environment. `read_timeout_s` bounds a silence of the server,
    `total_timeout_s` the whole request. Errors of all methods: SourceForbidden, RemoteUnavailable.
    """

    def __init__(self, policy: UrlPolicy, read_timeout_s: float, total_timeout_s: float) -> None:
        self._policy, self._read_timeout_s, self._total_timeout_s = policy, read_timeout_s, total_timeout_s

    def validate(self, url: str) -> None:
        """Raise SourceForbidden if the policy forbids the URL; its name is not resolved yet."""
        self._policy.validate(url)

    def fetch(self, url: str, path: Path, max_bytes: int, on_progress: DownloadProgressCallback) -> None:
        """Download a URL to a file; redirects are followed to allowed hosts only.

        Errors: SourceNotFound where the server does not have it, LimitExceeded above `max_bytes`, StorageFull.
        """
        target = self._policy.validate(url)
        for _ in range(_MAX_REDIRECTS + 1):
            with self._send("GET", target, {}) as response:
                if response.status not in _REDIRECT_STATUSES:
                    _require_ok(target, response)
                    _write(target, response, path, max_bytes, on_progress)
                    return
                target = self._policy.validate(urljoin(target.url, _get_header(response, "location")))
        raise RemoteUnavailable(f"{target.display_url}: redirects too often")

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a POST request. Errors: RemoteUnavailable for any status but 2xx, redirects included."""
        target = self._policy.validate(url)
        with self._send("POST", target, headers, body) as response:
            if not 200 <= response.status < 300:
                raise RemoteUnavailable(f"{target.scheme}://{target.host}: answered {response.status}")

    @contextmanager
    def _send(
        self, method: str, target: AllowedUrl, headers: Mapping[str, str], body: bytes | None = None
    ) -> Iterator[httpcore2.Response]:
        """Yield the response to a request, its body unread. Errors: RemoteUnavailable."""
        request_headers = [
            ("host", _host_header(target)),
            ("user-agent", "afterimage"),
            ("accept-encoding", "identity"),
        ]
        request_headers += [*headers.items(), *([] if body is None else [("content-length", str(len(body)))])]
        url = httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.request_target)
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._read_timeout_s)
        try:
            with (
                httpcore2.ConnectionPool(
                    network_backend=PinnedAddressBackend(self._policy, self._total_timeout_s)
                ) as pool,
                pool.stream(
                    method, url, headers=request_headers, content=body, extensions={"timeout": timeout}
                ) as response,
            ):
                yield response
        except _TRANSPORT_ERRORS as error:
            raise RemoteUnavailable(f"{target.scheme}://{target.host}: {_explain(error)}") from error


def _require_ok(target: AllowedUrl, response: httpcore2.Response) -> None:
    """Raise SourceNotFound or RemoteUnavailable if the status is not 200."""
    if response.status in _UNAVAILABLE_STATUSES:
        raise SourceNotFound(target.display_url, f"its server answered {response.status}")
    if response.status != 200:
        raise RemoteUnavailable(f"{target.scheme}://{target.host}: answered {response.status}")


def _write(
    target: AllowedUrl, response: httpcore2.Response, path: Path, max_bytes: int, on_progress: DownloadProgressCallback
) -> None:
    """Write the body to a file as it arrives. Errors: LimitExceeded, StorageFull."""
    content_length = _get_header(response, "content-length")
    total, received = float(content_length) if content_length.isdigit() else None, 0
    _check_size(target, total or 0, max_bytes)
    with _open_for_write(path) as write:
        for chunk in response.iter_stream():
            received += len(chunk)
            _check_size(target, received, max_bytes)
            write(chunk)
            on_progress(received, total)


@contextmanager
def _open_for_write(path: Path) -> Iterator[Callable[[bytes], object]]:
    """Yield the write function of a new file. Errors: StorageFull for any failure of the file system."""
    try:
        with path.open("wb") as file:
            yield file.write
    except OSError as error:
        if isinstance(error, AfterimageError):
            raise
        raise StorageFull(f"{path.parent}: cannot be written ({error.strerror})") from error


def _check_size(target: AllowedUrl, size: float, max_bytes: int) -> None:
    """Raise LimitExceeded if the size is above the limit."""
    if size > max_bytes:
        raise LimitExceeded(target.display_url, f"is larger than {max_bytes} bytes (AFTERIMAGE_INGEST__MAX_BYTES)")


def _get_header(response: httpcore2.Response, name: str) -> str:
    """Return the value of a header, empty where there is none."""
    values = [value for key, value in response.headers if key.lower() == name.encode()]
    return values[0].decode("latin-1") if values else ""


def _host_header(target: AllowedUrl) -> str:
    """Return the Host header, with the port where it is not the scheme's own."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == DEFAULT_PORTS[target.scheme] else f"{host}:{target.port}"


def _explain(error: Exception) -> str:
    """Return the reason of a failed connection in words."""
    match error:
        case httpcore2.ConnectTimeout() | httpcore2.ConnectError():
            return f"cannot be reached ({error})" if str(error) else "cannot be reached"
        case httpcore2.TimeoutException():
            return "says nothing"
    return f"the connection broke off ({error})" if str(error) else "the connection broke off"
