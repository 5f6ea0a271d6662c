"""Behind proxies: a real nginx with TLS before a server with keys, and what a server without keys refuses."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import IO

import httpx2
import pytest

from indexer.errors import SettingsError
from services.access.api_keys import Scope
from services.answering.answering import Answering
from services.container import Container
from services.settings import load_settings
from tests.support.live_server import live_server, read_events
from tests.support.nginx import HOST, run_nginx
from tests.support.small_archive import ROPE_QUERY, SHORE
from tests.support.waiting import TIMEOUT_S, wait_for

LARGE_BYTES = 48 << 20
"""Chosen: above nginx's own limit of a body (1 MB) and the server's (32 MB), which uploads do not have."""


@pytest.fixture(scope="module")
def proxied(module_container: Container, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of nginx, with a key for the server behind it."""
    secret = module_container.api_keys.create("proxied", set(Scope))[1]
    headers = {"authorization": f"Bearer {secret}", "host": HOST}
    with (
        live_server(module_container, allow_anonymous=False) as upstream,
        run_nginx(upstream, tmp_path_factory.mktemp("nginx")) as nginx,
        httpx2.Client(base_url=nginx.url, verify=nginx.context, headers=headers, timeout=TIMEOUT_S) as client,
    ):
        yield client


def test_events_come_through_nginx_while_the_answer_is_written(
    proxied: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go, stream_sentences = Event(), Answering.stream_sentences

    def slow(*arguments: object) -> Iterator[object]:
        wait_for(let_go, "the first event has come")
        yield from stream_sentences(*arguments)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(Answering, "stream_sentences", slow)
    stream = {"accept": "text/event-stream"}
    try:
        with proxied.stream("POST", "/v1/ask", json={"question": ROPE_QUERY}, headers=stream) as response:
            events = read_events(response)
            assert next(events)[0] == "evidence" and not let_go.is_set()
            let_go.set()
            assert [name for name, _ in events] == ["sentence", "answer", "usage"]
    finally:
        let_go.set()


def test_a_large_upload_goes_through_nginx(proxied: httpx2.Client, tmp_path: Path) -> None:
    with (tmp_path / "large.mp4").open("w+b") as file:
        file.truncate(LARGE_BYTES)
        sent = _upload(proxied, file)
    assert sent.status_code == 202, sent.text
    headers = {"tus-resumable": "1.0.0", "upload-length": str(LARGE_BYTES)}
    metadata = {"upload-metadata": "collection c2hvcmU=,filename bGFyZ2UubXA0"}
    begun = proxied.post("/v1/uploads/tus", headers=headers | metadata)
    chunk = {"tus-resumable": "1.0.0", "upload-offset": "0", "content-type": "application/offset+octet-stream"}
    part = proxied.patch(begun.headers["location"], headers=chunk, content=bytes(LARGE_BYTES - 1))
    assert (part.status_code, part.headers["upload-offset"]) == (204, str(LARGE_BYTES - 1))
    assert proxied.delete(begun.headers["location"], headers={"tus-resumable": "1.0.0"}).status_code == 204


def test_media_comes_through_nginx_in_ranges_and_not_again(proxied: httpx2.Client) -> None:
    (film,) = (one for one in proxied.get("/v1/assets").json()["items"] if one["name"] == "gulls.mp4")
    part = proxied.get(f"/v1/assets/{film['asset']}/media", headers={"range": "bytes=0-9"})
    assert (part.status_code, len(part.content)) == (206, 10)
    known = {"if-none-match": part.headers["etag"]}
    assert proxied.get(f"/v1/assets/{film['asset']}/media", headers=known).status_code == 304
    assert proxied.get("/v1/assets/").headers["location"] == "/v1/assets"


def test_an_open_server_behind_nginx_takes_nothing(writable_container: Container, tmp_path: Path) -> None:
    with (
        live_server(writable_container) as upstream,
        run_nginx(upstream, tmp_path) as nginx,
        httpx2.Client(base_url=nginx.url, verify=nginx.context, timeout=TIMEOUT_S) as client,
    ):
        assert httpx2.get(f"{upstream}/v1/collections").status_code == 200
        refused = client.get("/v1/collections")
        assert (refused.status_code, refused.json()["type"]) == (401, "urn:afterimage:invalid-api-key")


@pytest.mark.parametrize(
    "name",
    [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Server",
        "X-Real-IP",
        "CF-Connecting-IP",
        "Via",
    ],
)
def test_an_open_server_takes_no_request_that_a_proxy_header_marks(read_only_client: httpx2.Client, name: str) -> None:
    for value in ("127.0.0.1", ""):
        refused = read_only_client.get("/v1/collections", headers={name: value})
        assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"


def test_an_open_server_closes_when_the_first_key_is_made(
    writable_container: Container, caplog: pytest.LogCaptureFixture
) -> None:
    keys = writable_container.api_keys
    with live_server(writable_container) as url, httpx2.Client(base_url=url, timeout=TIMEOUT_S) as client:
        assert client.get("/v1/collections", headers={"authorization": "Bearer sk-any"}).status_code == 200
        key, secret = keys.create("first", {Scope.READ})  # as `afterimage keys create` beside the server does
        with caplog.at_level(logging.WARNING, "api"):
            for headers in ({}, {"authorization": "Bearer sk-any"}):
                assert client.get("/v1/collections", headers=headers).status_code == 401
        assert caplog.text.count("every request needs one from here on") == 1
        assert client.get("/v1/collections", headers={"authorization": f"Bearer {secret}"}).status_code == 200
        keys.revoke(key.id)
        assert client.get("/v1/collections").status_code == 401, "it stays closed"


def test_what_is_no_address_of_a_proxy_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_SERVE__TRUSTED_PROXIES", '["10.0.0.0/8", "::1", "192.0.2.7"]')
    assert load_settings("demo").serve.trusted_proxies == {"10.0.0.0/8", "::1", "192.0.2.7"}
    monkeypatch.setenv("AFTERIMAGE_SERVE__TRUSTED_PROXIES", '["proxy"]')
    with pytest.raises(SettingsError, match="AFTERIMAGE_SERVE__TRUSTED_PROXIES: 'proxy' is no address or network"):
        load_settings("demo")


def _upload(client: httpx2.Client, file: IO[bytes]) -> httpx2.Response:
    file.seek(0)
    return client.post("/v1/uploads", data={"collection": SHORE}, files={"file": ("large.mp4", file)})
