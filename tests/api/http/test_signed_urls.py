"""Signed media URLs over HTTP: they stand for a key, for one asset's media, pictures and clips, and nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from services.access.api_keys import Scope
from services.access.media_urls import MediaUrlSigner
from services.access.signing_secrets import load_or_create_secret
from services.container import Container
from tests.support.live_server import live_server
from tests.support.small_archive import HARBOUR, SHORE
from tests.support.waiting import TIMEOUT_S, wait_until

FILM_PATHS = ("media", "frames/3", "clip?start_s=4&end_s=4.4&max_px=160")


@dataclass
class Site:
    """A server with keys; `client` sends none, as a browser does for `<img>`."""

    container: Container
    client: httpx2.Client
    ids: dict[str, str]
    secret: str

    def sign(self, name: str, secret: str | None = None, **params: object) -> httpx2.Response:
        headers = {"authorization": f"Bearer {secret or self.secret}"}
        return self.client.get(f"/v1/assets/{self.ids[name]}/signed-url", headers=headers, params=params)

    def get(self, name: str, path: str, query: str, method: str = "GET", **headers: str) -> httpx2.Response:
        url = f"/v1/assets/{self.ids[name]}/{path}{'&' if '?' in path else '?'}{query}"
        return self.client.request(method, url, headers=headers)


@pytest.fixture(scope="module")
def site(module_container: Container) -> Iterator[Site]:
    ids = {asset.name.partition(".")[0]: asset.asset_id for asset in module_container.catalog.assets()}
    secret = module_container.api_keys.create("page", {Scope.READ})[1]
    with (
        live_server(module_container, allow_anonymous=False) as url,
        httpx2.Client(base_url=url, timeout=TIMEOUT_S) as client,
    ):
        yield Site(module_container, client, ids, secret)


def test_a_signed_url_shows_media_pictures_and_clips_without_a_key(site: Site) -> None:
    signed = site.sign("gulls").json()
    assert 3500 < signed["expires_at"] - time.time() <= 3600
    assert site.client.get(signed["media"]).headers["content-type"] == "video/mp4"
    for path in FILM_PATHS:
        assert site.get("gulls", path, "").status_code == 401, path
        for method in ("GET", "HEAD"):
            assert site.get("gulls", path, signed["query"], method).status_code == 200, path
    part = site.get("gulls", "media", signed["query"], range="bytes=0-9")
    assert (part.status_code, len(part.content)) == (206, 10)
    assert site.get("prices", "pages/2", site.sign("prices").json()["query"]).status_code == 200
    assert site.get("red", "picture", site.sign("red").json()["query"]).status_code == 200


def test_it_opens_nothing_else(site: Site) -> None:
    signed = site.sign("gulls").json()
    assert site.get("prices", "media", signed["query"]).status_code == 403
    for path in ("frames", "memory", "signed-url"):
        assert site.get("gulls", path, signed["query"]).status_code == 401, path
    for path in (f"/v1/assets/{site.ids['gulls']}", "/v1/assets", "/v1/collections", "/v1/keys", "/metrics"):
        assert site.client.get(f"{path}?{signed['query']}").status_code == 401, path


def test_what_was_altered_or_has_expired_is_refused_with_the_reason(site: Site) -> None:
    signed = site.sign("gulls", ttl_s=60).json()
    later = signed["query"].replace(str(signed["expires_at"]), str(signed["expires_at"] + 1))
    for query in (later, signed["query"] + "A", "expires=x&key=&signature=%C3%BC", "signature=A"):
        refused = site.get("gulls", "media", query)
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:afterimage:invalid-media-url"), query
        assert "altered" in refused.json()["detail"]
    secret = load_or_create_secret(site.container.database, "media-urls")
    earlier = MediaUrlSigner(lambda: secret, lambda: time.time() - 61).sign(site.ids["gulls"], "", 60)
    expired = site.get("gulls", "frames/3", f"expires={earlier.expires_at}&key=&signature={earlier.signature}")
    assert expired.status_code == 403 and "has expired" in expired.json()["detail"]


def test_it_holds_as_long_as_is_asked_for_and_no_longer_than_is_allowed(site: Site) -> None:
    assert site.sign("gulls", ttl_s=5).json()["expires_at"] - time.time() <= 5
    refused = site.sign("gulls", ttl_s=3601)
    assert refused.status_code == 422 and "3600 s at most" in refused.json()["detail"]


def test_it_sees_what_its_key_sees_and_ends_with_it(site: Site) -> None:
    key, secret = site.container.api_keys.create("shore", {Scope.READ}, {SHORE})
    assert site.sign("prices", secret).status_code == 404
    query = site.sign("gulls", secret).json()["query"]
    assert site.get("gulls", "media", query).status_code == 200
    site.container.api_keys.revoke(key.id)
    refused = site.get("gulls", "media", query)
    assert (refused.status_code, refused.json()["type"]) == (401, "urn:afterimage:invalid-api-key")
    writer = site.container.api_keys.create("writer", {Scope.WRITE})[1]
    assert site.sign("gulls", writer).status_code == 403


def test_requests_by_signed_urls_count_as_those_of_the_key(site: Site) -> None:
    secret = site.container.api_keys.create("slow", {Scope.READ}, requests_per_minute=2)[1]
    query = site.sign("red", secret).json()["query"]
    statuses = [site.get("red", "picture", query).status_code for _ in range(2)]
    assert statuses == [200, 429]


def test_no_log_of_ours_has_a_signature(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    signed = site.sign("gulls").json()
    with caplog.at_level(logging.DEBUG, "api"):
        assert site.get("gulls", "frames/3", signed["query"]).status_code == 200
        wait_until(lambda: "/frames/3" in _ours(caplog), "the request is logged")  # after it was answered
    assert signed["query"].rpartition("=")[2] not in _ours(caplog)


def _ours(caplog: pytest.LogCaptureFixture) -> str:
    """Return all that our own loggers said, fields included."""
    records = [record for record in caplog.records if record.name.startswith(("api.", "services."))]
    return "".join(str(vars(record)) for record in records)


def test_a_signed_url_of_a_deleted_asset_is_not_found(writable_container: Container) -> None:
    secret = writable_container.api_keys.create("page", {Scope.READ})[1]
    ids = {asset.name.partition(".")[0]: asset.asset_id for asset in writable_container.catalog.assets()}
    with live_server(writable_container, allow_anonymous=False) as url, httpx2.Client(base_url=url) as client:
        site = Site(writable_container, client, ids, secret)
        query = site.sign("prices").json()["query"]
        assert site.get("prices", "pages/1", query).status_code == 200
        writable_container.deletion.delete_asset(ids["prices"], HARBOUR)
        for path in ("pages/1", "media"):
            gone = site.get("prices", path, query)
            assert (gone.status_code, gone.json()["type"]) == (404, "urn:afterimage:asset-not-found")


def test_an_open_server_signs_for_its_own_machine_alone(read_only_client: httpx2.Client) -> None:
    (photo,) = (one for one in read_only_client.get("/v1/assets").json()["items"] if one["name"] == "red.png")
    media = read_only_client.get(f"/v1/assets/{photo['asset']}/signed-url").json()["media"]
    assert read_only_client.get(media).status_code == 200
    assert read_only_client.get(media, headers={"x-forwarded-for": "203.0.113.7"}).status_code == 401
