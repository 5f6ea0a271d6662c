"""`Outbound`: requests to addresses that others named (httpcore2, which lets us choose what is connected to)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpcore2

from indexer.errors import AddressUnavailable, AfterimageError, LimitExceeded, SourceNotFound, StorageFull
from services.outbound.connecting import CheckedBackend
from services.outbound.reach import Reach, Target

_REDIRECTS = (301, 302, 303, 307, 308)
_GONE = (401, 403, 404, 410, 451)
_MOST_REDIRECTS = 5
_FAILURES = (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError)
Received = Callable[[float, float | None], None]
"""Called with the bytes that have come, and how many there are (None: not known)."""


class Outbound:
    """GET and POST to where `reach` allows. Whatever a name points to a moment later, the addresses that were checked
    are the ones connected to. No proxy, no cookies, nothing of the environment.

    `stall_s` is the longest silence, `whole_s` the longest a request may take. Errors of all methods: NotAllowed,
    AddressUnavailable.
    """

    def __init__(self, reach: Reach, stall_s: float, whole_s: float) -> None:
        self._reach, self._stall_s, self._whole_s = reach, stall_s, whole_s

    def check(self, url: str) -> None:
        """Whether the URL may be asked for at all; its name is not resolved yet. Errors: NotAllowed."""
        self._reach.target(url)

    def fetch(self, url: str, to: Path, most_bytes: int, received: Received) -> None:
        """Write what is there to a file, piece by piece; redirects are followed to allowed hosts alone.

        Errors: SourceNotFound where the server has nothing to give, LimitExceeded, StorageFull.
        """
        target = self._reach.target(url)
        for _ in range(_MOST_REDIRECTS + 1):
            with self._asked("GET", target, {}) as response:
                if response.status not in _REDIRECTS:
                    _check_found(target, response)
                    _write(target, response, to, most_bytes, received)
                    return
                target = self._reach.target(urljoin(target.url, _header(response, "location")))
        raise AddressUnavailable(f"{target.name}: redirects again and again")

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send something; anything but a 2xx is an AddressUnavailable, a redirect too."""
        target = self._reach.target(url)
        with self._asked("POST", target, headers, body) as response:
            if not 200 <= response.status < 300:
                raise AddressUnavailable(f"{target.scheme}://{target.host}: answered {response.status}")

    @contextmanager
    def _asked(
        self, method: str, target: Target, headers: Mapping[str, str], body: bytes | None = None
    ) -> Iterator[httpcore2.Response]:
        said = [("host", _authority(target)), ("user-agent", "afterimage"), ("accept-encoding", "identity")]
        said += [*headers.items(), *([] if body is None else [("content-length", str(len(body)))])]
        url = httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._stall_s)
        try:
            with (
                httpcore2.ConnectionPool(network_backend=CheckedBackend(self._reach, self._whole_s)) as pool,
                pool.stream(method, url, headers=said, content=body, extensions={"timeout": timeout}) as response,
            ):
                yield response
        except _FAILURES as error:
            raise AddressUnavailable(f"{target.scheme}://{target.host}: {_reason(error)}") from error


def _check_found(target: Target, response: httpcore2.Response) -> None:
    if response.status in _GONE:
        raise SourceNotFound(target.name, f"its server answered {response.status}")
    if response.status != 200:
        raise AddressUnavailable(f"{target.scheme}://{target.host}: answered {response.status}")


def _write(target: Target, response: httpcore2.Response, to: Path, most_bytes: int, received: Received) -> None:
    announced = _header(response, "content-length")
    total, done = float(announced) if announced.isdigit() else None, 0
    _check_size(target, total or 0, most_bytes)
    with _opened(to) as write:
        for piece in response.iter_stream():
            done += len(piece)
            _check_size(target, done, most_bytes)
            write(piece)
            received(done, total)


@contextmanager
def _opened(path: Path) -> Iterator[Callable[[bytes], object]]:
    try:
        with path.open("wb") as file:
            yield file.write
    except OSError as error:
        if isinstance(error, AfterimageError):
            raise
        raise StorageFull(f"{path.parent}: cannot be written ({error.strerror})") from error


def _check_size(target: Target, size: float, most_bytes: int) -> None:
    if size > most_bytes:
        raise LimitExceeded(target.name, f"is larger than {most_bytes} bytes (AFTERIMAGE_INTAKE__MAX_BYTES)")


def _header(response: httpcore2.Response, name: str) -> str:
    found = [value for key, value in response.headers if key.lower() == name.encode()]
    return found[0].decode("latin-1") if found else ""


def _authority(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == {"https": 443, "http": 80}[target.scheme] else f"{host}:{target.port}"


def _reason(error: Exception) -> str:
    match error:
        case httpcore2.ConnectTimeout() | httpcore2.ConnectError():
            return f"cannot be reached ({error})" if str(error) else "cannot be reached"
        case httpcore2.TimeoutException():
            return "says nothing"
    return f"the connection broke off ({error})" if str(error) else "the connection broke off"
