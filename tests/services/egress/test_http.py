"""Requests to addresses that others named, against a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.errors import LimitExceeded, SourceNotFound, StorageFull
from services.egress.errors import RemoteUnavailable, SourceForbidden
from services.egress.http import OutboundClient
from services.egress.url_policy import UrlPolicy
from tests.support.database_servers import find_free_port
from tests.support.http_server import FakeWebServer, run_web_server

LOOPBACK = frozenset({"127.0.0.1"})
FILM_BYTES = bytes(range(256)) * 1000


@pytest.fixture
def host() -> Iterator[FakeWebServer]:
    with run_web_server() as host:
        host.files["/film.mp4"] = FILM_BYTES
        yield host


def _make_client(
    read_timeout_s: float = 5.0, total_timeout_s: float = 30.0, hosts: frozenset[str] = LOOPBACK
) -> OutboundClient:
    return OutboundClient(UrlPolicy(hosts, LOOPBACK, "SETTING"), read_timeout_s, total_timeout_s)


def _ignore_progress(done: float, total: float | None) -> None: ...


def test_a_file_is_fetched_piece_by_piece(host: FakeWebServer, tmp_path: Path) -> None:
    progress: list[tuple[float, float | None]] = []
    _make_client().fetch(
        f"{host.url}/film.mp4?x=1", tmp_path / "f", len(FILM_BYTES), lambda done, total: progress.append((done, total))
    )
    assert (tmp_path / "f").read_bytes() == FILM_BYTES
    assert progress[-1] == (len(FILM_BYTES), len(FILM_BYTES))
    assert len(progress) > 1
    (sent,) = host.received_requests
    assert sent.path == "/film.mp4?x=1"
    assert sent.headers == {"host": host.url.removeprefix("http://"), "user-agent": "afterimage"} | {
        "accept-encoding": "identity"
    }


def test_what_is_too_large_is_refused_whether_or_not_its_size_is_announced(host: FakeWebServer, tmp_path: Path) -> None:
    for announced in (True, False):
        host.sends_content_length = announced
        with pytest.raises(LimitExceeded, match=r"/film.mp4: is larger than 1000 bytes \(AFTERIMAGE_INGEST__MAX_BYTES"):
            _make_client().fetch(f"{host.url}/film.mp4?token=hunter2", tmp_path / "f", 1000, _ignore_progress)


def test_a_redirect_is_followed_to_allowed_hosts_alone(host: FakeWebServer, tmp_path: Path) -> None:
    host.redirects |= {"/a": "/b", "/b": f"{host.url}/film.mp4", "/round": "/round"}
    _make_client().fetch(f"{host.url}/a", tmp_path / "f", len(FILM_BYTES), _ignore_progress)
    assert (tmp_path / "f").read_bytes() == FILM_BYTES
    for place in ("http://localhost:1/x", "http://169.254.169.254/latest", "file:///etc/passwd"):
        host.redirects["/out"] = place
        with pytest.raises(SourceForbidden):
            _make_client().fetch(f"{host.url}/out", tmp_path / "g", len(FILM_BYTES), _ignore_progress)
    with pytest.raises(RemoteUnavailable, match="redirects again and again"):
        _make_client().fetch(f"{host.url}/round", tmp_path / "g", len(FILM_BYTES), _ignore_progress)
    assert not (tmp_path / "g").exists()


def test_a_name_of_an_allowed_host_that_points_inside_is_refused_when_it_is_connected_to(
    host: FakeWebServer, tmp_path: Path
) -> None:
    inside = OutboundClient(UrlPolicy(frozenset({"localhost"}), frozenset(), "SETTING"), 5, 30)
    url = host.url.replace("127.0.0.1", "localhost")
    with pytest.raises(SourceForbidden, match="is not a public one"):
        inside.fetch(f"{url}/film.mp4", tmp_path / "f", len(FILM_BYTES), _ignore_progress)
    assert host.received_requests == []


def test_what_is_not_there_is_not_asked_for_again_and_all_else_may_be(host: FakeWebServer, tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match=r"/gone.mp4: its server answered 404"):
        _make_client().fetch(f"{host.url}/gone.mp4", tmp_path / "f", 1, _ignore_progress)
    with pytest.raises(RemoteUnavailable, match="cannot be reached"):
        _make_client().fetch(f"http://127.0.0.1:{find_free_port()}/", tmp_path / "f", 1, _ignore_progress)
    host.withheld_bytes = 100
    with pytest.raises(RemoteUnavailable, match="the connection broke off"):
        _make_client().fetch(f"{host.url}/film.mp4", tmp_path / "f", len(FILM_BYTES), _ignore_progress)


def test_a_server_that_drips_is_given_up_as_one_that_is_silent(host: FakeWebServer, tmp_path: Path) -> None:
    host.byte_delay_s = 0.1
    started_at = time.monotonic()
    with pytest.raises(RemoteUnavailable, match="says nothing"):
        _make_client(read_timeout_s=5, total_timeout_s=1).fetch(
            f"{host.url}/film.mp4", tmp_path / "f", len(FILM_BYTES), _ignore_progress
        )
    host.byte_delay_s = 30
    with pytest.raises(RemoteUnavailable, match="says nothing"):
        _make_client(read_timeout_s=0.5, total_timeout_s=60).fetch(
            f"{host.url}/film.mp4", tmp_path / "f", len(FILM_BYTES), _ignore_progress
        )
    assert time.monotonic() - started_at < 20


def test_who_reports_may_end_it(host: FakeWebServer, tmp_path: Path) -> None:
    def stop(done: float, total: float | None) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        _make_client().fetch(f"{host.url}/film.mp4", tmp_path / "f", len(FILM_BYTES), stop)
    with pytest.raises(StorageFull, match="cannot be written"):
        _make_client().fetch(f"{host.url}/film.mp4", tmp_path / "none" / "f", len(FILM_BYTES), _ignore_progress)


def test_a_post_is_heard_where_it_is_answered_with_success_and_follows_no_redirect(host: FakeWebServer) -> None:
    _make_client().post(f"{host.url}/told", b"{}", {"x-name": "value"})
    assert (host.received_requests[0].body, host.received_requests[0].headers["x-name"]) == (b"{}", "value")
    host.redirects["/elsewhere"] = "/told"
    host.statuses = [500]
    for path, status in (("/elsewhere", 307), ("/told", 500)):
        with pytest.raises(RemoteUnavailable, match=f"answered {status}"):
            _make_client().post(f"{host.url}{path}", b"{}", {})
    assert len(host.received_requests) == 3
