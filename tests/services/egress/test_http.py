"""Requests to addresses that others named, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from indexer.errors import LimitExceeded, SourceNotFound, StorageFull
from services.egress import pinned_connections
from services.egress.errors import RemoteUnavailable, SourceForbidden
from services.egress.http import OutboundClient
from services.egress.url_policy import UrlPolicy
from tests.support.closed_port import refuse_connections
from tests.support.http_server import FakeWebServer, run_web_server
from tests.support.waiting import TIMEOUT_S

LOOPBACK = frozenset({"127.0.0.1"})
FILM_BYTES = bytes(range(256)) * 1000


@pytest.fixture
def web_server() -> Iterator[FakeWebServer]:
    with run_web_server() as web_server:
        web_server.files["/film.mp4"] = FILM_BYTES
        yield web_server


def _make_client(
    read_timeout_s: float = 5.0, total_timeout_s: float = 30.0, hosts: frozenset[str] = LOOPBACK
) -> OutboundClient:
    return OutboundClient(UrlPolicy(hosts, LOOPBACK, "SETTING"), read_timeout_s, total_timeout_s)


def _ignore_progress(done: float, total: float | None) -> None: ...


def test_a_file_is_fetched_piece_by_piece(web_server: FakeWebServer, tmp_path: Path) -> None:
    progress: list[tuple[float, float | None]] = []
    _make_client().fetch(
        f"{web_server.url}/film.mp4?x=1",
        tmp_path / "f",
        len(FILM_BYTES),
        lambda done, total: progress.append((done, total)),
    )
    assert (tmp_path / "f").read_bytes() == FILM_BYTES
    assert progress[-1] == (len(FILM_BYTES), len(FILM_BYTES))
    assert len(progress) > 1
    (sent,) = web_server.received_requests
    assert sent.path == "/film.mp4?x=1"
    assert sent.headers == {"host": web_server.url.removeprefix("http://"), "user-agent": "afterimage"} | {
        "accept-encoding": "identity"
    }


def test_what_is_too_large_is_refused_whether_or_not_its_size_is_announced(
    web_server: FakeWebServer, tmp_path: Path
) -> None:
    for announced in (True, False):
        web_server.sends_content_length = announced
        with pytest.raises(LimitExceeded, match=r"/film.mp4: is larger than 1000 bytes \(AFTERIMAGE_INGEST__MAX_BYTES"):
            _make_client().fetch(f"{web_server.url}/film.mp4?token=hunter2", tmp_path / "f", 1000, _ignore_progress)


def test_a_redirect_is_followed_to_allowed_hosts_alone(web_server: FakeWebServer, tmp_path: Path) -> None:
    web_server.redirects |= {"/a": "/b", "/b": f"{web_server.url}/film.mp4", "/round": "/round"}
    _make_client().fetch(f"{web_server.url}/a", tmp_path / "f", len(FILM_BYTES), _ignore_progress)
    assert (tmp_path / "f").read_bytes() == FILM_BYTES
    for place in ("http://localhost:1/x", "http://169.254.169.254/latest", "file:///etc/passwd"):
        web_server.redirects["/out"] = place
        with pytest.raises(SourceForbidden):
            _make_client().fetch(f"{web_server.url}/out", tmp_path / "g", len(FILM_BYTES), _ignore_progress)
    with pytest.raises(RemoteUnavailable, match="redirects too often"):
        _make_client().fetch(f"{web_server.url}/round", tmp_path / "g", len(FILM_BYTES), _ignore_progress)
    assert not (tmp_path / "g").exists()


def test_a_name_of_an_allowed_host_that_points_inside_is_refused_when_it_is_connected_to(
    web_server: FakeWebServer, tmp_path: Path
) -> None:
    inside = OutboundClient(UrlPolicy(frozenset({"localhost"}), frozenset(), "SETTING"), 5, 30)
    url = web_server.url.replace("127.0.0.1", "localhost")
    with pytest.raises(SourceForbidden, match="is not a public one"):
        inside.fetch(f"{url}/film.mp4", tmp_path / "f", len(FILM_BYTES), _ignore_progress)
    assert web_server.received_requests == []


def test_what_is_not_there_is_not_asked_for_again_and_all_else_may_be(
    web_server: FakeWebServer, tmp_path: Path
) -> None:
    with pytest.raises(SourceNotFound, match=r"/gone.mp4: its server answered 404"):
        _make_client().fetch(f"{web_server.url}/gone.mp4", tmp_path / "f", 1, _ignore_progress)
    with pytest.raises(RemoteUnavailable, match="cannot be reached"), refuse_connections() as address:
        _make_client().fetch(f"http://{address}/", tmp_path / "f", 1, _ignore_progress)
    web_server.withheld_bytes = 100
    with pytest.raises(RemoteUnavailable, match="the connection broke off"):
        _make_client().fetch(f"{web_server.url}/film.mp4", tmp_path / "f", len(FILM_BYTES), _ignore_progress)


def test_a_server_that_drips_is_given_up_as_one_that_is_silent(
    web_server: FakeWebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dripping for a quarter of an hour as the clock has it: each step takes a minute of the time that is allowed."""
    clock = count(step=60)
    web_server.byte_delay_s = 0.01
    with monkeypatch.context() as patched, pytest.raises(RemoteUnavailable, match="says nothing"):
        patched.setattr(pinned_connections, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        _make_client(read_timeout_s=TIMEOUT_S, total_timeout_s=900).fetch(
            f"{web_server.url}/film.mp4", tmp_path / "f", len(FILM_BYTES), _ignore_progress
        )
    assert 0 < (tmp_path / "f").stat().st_size < len(FILM_BYTES)
    web_server.byte_delay_s = 2 * TIMEOUT_S
    with pytest.raises(RemoteUnavailable, match="says nothing"):
        _make_client(read_timeout_s=0.5, total_timeout_s=TIMEOUT_S).fetch(
            f"{web_server.url}/film.mp4", tmp_path / "f", len(FILM_BYTES), _ignore_progress
        )


def test_who_reports_may_end_it(web_server: FakeWebServer, tmp_path: Path) -> None:
    def stop(done: float, total: float | None) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        _make_client().fetch(f"{web_server.url}/film.mp4", tmp_path / "f", len(FILM_BYTES), stop)
    with pytest.raises(StorageFull, match="cannot be written"):
        _make_client().fetch(f"{web_server.url}/film.mp4", tmp_path / "none" / "f", len(FILM_BYTES), _ignore_progress)


def test_a_post_is_heard_where_it_is_answered_with_success_and_follows_no_redirect(web_server: FakeWebServer) -> None:
    _make_client().post(f"{web_server.url}/told", b"{}", {"x-name": "value"})
    assert (web_server.received_requests[0].body, web_server.received_requests[0].headers["x-name"]) == (b"{}", "value")
    web_server.redirects["/elsewhere"] = "/told"
    web_server.statuses = [500]
    for path, status in (("/elsewhere", 307), ("/told", 500)):
        with pytest.raises(RemoteUnavailable, match=f"answered {status}"):
            _make_client().post(f"{web_server.url}{path}", b"{}", {})
    assert len(web_server.received_requests) == 3
