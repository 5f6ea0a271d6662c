"""`Outbound`: requests to addresses that others named (httpcore2, which lets us choose what is connected to)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpcore2

from indexer.errors import AfterimageError, LimitExceeded, SourceNotFound, StorageFull
from services.egress.errors import RemoteUnavailable
from services.egress.pinned_connections import PinnedAddressBackend
from services.egress.url_policy import AllowedUrl, UrlPolicy

_REDIRECT_STATUSES = (301, 302, 303, 307, 308)
_UNAVAILABLE_STATUSES = (401, 403, 404, 410, 451)
_MAX_REDIRECTS = 5
_TRANSPORT_ERRORS = (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError)
DownloadProgressCallback = Callable[[float, float | None], None]
"""Called with the bytes that have come, and how many there are (None: not known)."""


class OutboundClient:
    """GET and POST to where `reach` allows. Whatever a name points to a moment later, the addresses that were checked
    are the ones connected to. No proxy, no cookies, nothing of the environment.

    `stall_s` is the longest silence, `whole_s` the longest a request may take. Errors of all methods: NotAllowed,
    AddressUnavailable.
    """

    def __init__(self, policy: UrlPolicy, read_timeout_s: float, total_timeout_s: float) -> None:
        self._policy, self._read_timeout_s, self._total_timeout_s = policy, read_timeout_s, total_timeout_s

    def validate(self, url: str) -> None:
        """Whether the URL may be asked for at all; its name is not resolved yet. Errors: NotAllowed."""
        self._policy.validate(url)

    def fetch(self, url: str, path: Path, max_bytes: int, on_progress: DownloadProgressCallback) -> None:
        """Write what is there to a file, piece by piece; redirects are followed to allowed hosts alone.

        Errors: SourceNotFound where the server has nothing to give, LimitExceeded, StorageFull.
        """
        target = self._policy.validate(url)
        for _ in range(_MAX_REDIRECTS + 1):
            with self._send("GET", target, {}) as response:
                if response.status not in _REDIRECT_STATUSES:
                    _require_ok(target, response)
                    _write(target, response, path, max_bytes, on_progress)
                    return
                target = self._policy.validate(urljoin(target.url, _get_header(response, "location")))
        raise RemoteUnavailable(f"{target.display_url}: redirects again and again")

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send something; anything but a 2xx is an AddressUnavailable, a redirect too."""
        target = self._policy.validate(url)
        with self._send("POST", target, headers, body) as response:
            if not 200 <= response.status < 300:
                raise RemoteUnavailable(f"{target.scheme}://{target.host}: answered {response.status}")

    @contextmanager
    def _send(
        self, method: str, target: AllowedUrl, headers: Mapping[str, str], body: bytes | None = None
    ) -> Iterator[httpcore2.Response]:
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
    if response.status in _UNAVAILABLE_STATUSES:
        raise SourceNotFound(target.display_url, f"its server answered {response.status}")
    if response.status != 200:
        raise RemoteUnavailable(f"{target.scheme}://{target.host}: answered {response.status}")


def _write(
    target: AllowedUrl, response: httpcore2.Response, path: Path, max_bytes: int, on_progress: DownloadProgressCallback
) -> None:
    content_length = _get_header(response, "content-length")
    total, done = float(content_length) if content_length.isdigit() else None, 0
    _check_size(target, total or 0, max_bytes)
    with _open_for_write(path) as write:
        for piece in response.iter_stream():
            done += len(piece)
            _check_size(target, done, max_bytes)
            write(piece)
            on_progress(done, total)


@contextmanager
def _open_for_write(path: Path) -> Iterator[Callable[[bytes], object]]:
    try:
        with path.open("wb") as file:
            yield file.write
    except OSError as error:
        if isinstance(error, AfterimageError):
            raise
        raise StorageFull(f"{path.parent}: cannot be written ({error.strerror})") from error


def _check_size(target: AllowedUrl, size: float, max_bytes: int) -> None:
    if size > max_bytes:
        raise LimitExceeded(target.display_url, f"is larger than {max_bytes} bytes (AFTERIMAGE_INGEST__MAX_BYTES)")


def _get_header(response: httpcore2.Response, name: str) -> str:
    found = [value for key, value in response.headers if key.lower() == name.encode()]
    return found[0].decode("latin-1") if found else ""


def _host_header(target: AllowedUrl) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == {"https": 443, "http": 80}[target.scheme] else f"{host}:{target.port}"


def _explain(error: Exception) -> str:
    match error:
        case httpcore2.ConnectTimeout() | httpcore2.ConnectError():
            return f"cannot be reached ({error})" if str(error) else "cannot be reached"
        case httpcore2.TimeoutException():
            return "says nothing"
    return f"the connection broke off ({error})" if str(error) else "the connection broke off"
