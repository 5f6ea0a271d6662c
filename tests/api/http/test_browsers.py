"""What web pages need: other origins by setting, the API as a page by setting, redirects that a proxy cannot break."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from indexer.errors import SettingsError
from services.access.api_keys import Scope
from services.settings import load_settings
from tests.support.containers import copy_home
from tests.support.live_server import live_server
from tests.support.small_archive import open_small_archive
from tests.support.waiting import TIMEOUT_S

ORIGIN, OTHER_ORIGIN = "https://films.example.org", "https://evil.example"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, content-type"}


@pytest.fixture(scope="module")
def opened(small_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client with a key of a server that knows the pages of one origin, and shows `/docs`."""
    home = copy_home(small_home, tmp_path_factory.mktemp("opened") / "home")
    container = open_small_archive(home, serve__cors_origins=f'["{ORIGIN}"]', serve__docs="true")
    secret = container.api_keys.create("page", {Scope.READ, Scope.WRITE})[1]
    headers = {"authorization": f"Bearer {secret}"}
    with (
        live_server(container, allow_anonymous=False) as url,
        httpx2.Client(base_url=url, timeout=TIMEOUT_S, headers=headers) as client,
    ):
        yield client
    container.close()


def test_a_page_of_an_origin_that_is_allowed_may_ask_and_read(opened: httpx2.Client) -> None:
    asked = opened.options("/v1/search", headers={"origin": ORIGIN, **PREFLIGHT})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert "authorization" in asked.headers["access-control-allow-headers"].lower()
    listed = opened.get("/v1/collections", headers={"origin": ORIGIN})
    assert listed.status_code == 200 and listed.headers["access-control-allow-origin"] == ORIGIN
    assert {"ETag", "Location", "X-Request-Id"} <= set(listed.headers["access-control-expose-headers"].split(", "))
    refused = opened.get("/v1/collections", headers={"origin": ORIGIN, "authorization": ""})
    assert refused.status_code == 401 and refused.headers["access-control-allow-origin"] == ORIGIN


def test_a_page_of_another_origin_may_not(opened: httpx2.Client, read_only_client: httpx2.Client) -> None:
    assert opened.options("/v1/search", headers={"origin": OTHER_ORIGIN, **PREFLIGHT}).status_code == 400
    listed = opened.get("/v1/collections", headers={"origin": OTHER_ORIGIN})
    assert "access-control-allow-origin" not in listed.headers
    unset = read_only_client.options("/v1/search", headers={"origin": ORIGIN, **PREFLIGHT})
    assert unset.status_code == 405 and "access-control-allow-origin" not in unset.headers


@pytest.mark.parametrize("origin", ["films.example.org", "https://films.example.org/", "ftp://films.example.org"])
def test_what_is_no_origin_is_refused_by_name(origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_SERVE__CORS_ORIGINS", f'["{origin}"]')
    with pytest.raises(SettingsError, match=f"AFTERIMAGE_SERVE__CORS_ORIGINS: '{origin}' is no origin"):
        load_settings("demo")


def test_the_api_is_shown_as_a_page_where_that_is_set(opened: httpx2.Client, read_only_client: httpx2.Client) -> None:
    page = opened.get("/docs")
    assert page.status_code == 200 and "/openapi.json" in page.text and "text/html" in page.headers["content-type"]
    assert read_only_client.get("/docs").status_code == 404


def test_a_redirect_names_no_host(opened: httpx2.Client) -> None:
    moved = opened.get("/v1/collections/?a=1")
    assert (moved.status_code, moved.headers["location"]) == (307, "/v1/collections?a=1")
    assert opened.get("/v1/collections/", follow_redirects=True).status_code == 200


def test_the_address_of_an_upload_names_no_host(opened: httpx2.Client) -> None:
    headers = {"tus-resumable": "1.0.0", "upload-length": "10"}
    metadata = {"upload-metadata": "collection c2hvcmU=,filename YS5wZGY="}
    begun = opened.post("/v1/uploads/tus", headers=headers | metadata)
    assert begun.status_code == 201 and begun.headers["location"].startswith("/v1/uploads/tus/")
    address = begun.request.url.join(begun.headers["location"])
    assert opened.head(address, headers=headers).headers["upload-offset"] == "0"
