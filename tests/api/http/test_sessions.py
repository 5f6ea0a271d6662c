"""Sessions of a browser: a key in a cookie that scripts cannot read, and that other sites cannot use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from services.access.api_keys import Scope
from services.container import Container
from tests.support.live_server import live_server
from tests.support.small_archive import SHORE
from tests.support.waiting import TIMEOUT_S

SCOPES = frozenset({Scope.READ, Scope.WRITE})


@dataclass
class Browser:
    """A browser, which keeps cookies, and the key that its user has."""

    client: httpx2.Client
    origin: str
    secret: str
    key_id: str

    def sign_in(self, secret: str | None = None) -> httpx2.Response:
        return self.client.put("/v1/session", json={"key": secret or self.secret}, headers={"origin": self.origin})


@pytest.fixture(scope="module")
def url(module_container: Container) -> Iterator[str]:
    with live_server(module_container, allow_anonymous=False) as address:
        yield address


@pytest.fixture
def browser(module_container: Container, url: str) -> Iterator[Browser]:
    key, secret = module_container.api_keys.create("browser", SCOPES, {SHORE})
    with httpx2.Client(base_url=url, timeout=TIMEOUT_S) as client:
        yield Browser(client, url, secret, key.id)


def test_who_has_signed_in_needs_no_header(browser: Browser) -> None:
    assert browser.client.get("/v1/session").json()["needs_key"] is True
    signed_in = browser.sign_in()
    assert signed_in.json() == {
        "signed_in": True,
        "needs_key": False,
        "scopes": ["read", "write"],
        "collections": [SHORE],
    }
    cookie = signed_in.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "expires" not in cookie
    assert [item["name"] for item in browser.client.get("/v1/collections").json()] == [SHORE]


def test_signing_out_takes_the_cookie_away(browser: Browser) -> None:
    browser.sign_in()
    assert browser.client.delete("/v1/session", headers={"origin": browser.origin}).status_code == 204
    assert browser.client.get("/v1/collections").status_code == 401


def test_a_wrong_key_starts_no_session(browser: Browser) -> None:
    refused = browser.sign_in(browser.secret[:-4] + "0000")
    assert refused.status_code == 401 and "set-cookie" not in refused.headers
    assert browser.secret not in refused.text


def test_a_session_ends_with_its_key(browser: Browser, module_container: Container) -> None:
    browser.sign_in()
    module_container.api_keys.revoke(browser.key_id)
    assert browser.client.get("/v1/collections").status_code == 401
    assert browser.client.get("/v1/session").json()["needs_key"] is True


@pytest.mark.parametrize("origin", ["", "https://evil.example", "null", "http://127.0.0.1"])
def test_nothing_is_changed_for_a_page_of_another_origin(browser: Browser, origin: str) -> None:
    browser.sign_in()
    headers = {"origin": origin} if origin else {}
    assert browser.client.put("/v1/collections/shore", headers=headers).status_code == 401
    assert browser.client.put("/v1/collections/shore", headers={"origin": browser.origin}).status_code == 204


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_nothing_is_read_for_a_page_of_another_site(browser: Browser, site: str) -> None:
    browser.sign_in()
    assert browser.client.get("/v1/collections", headers={"sec-fetch-site": site}).status_code == 401
    assert browser.client.get("/v1/collections", headers={"sec-fetch-site": "same-origin"}).status_code == 200


def test_an_open_server_needs_no_session(read_only_client: httpx2.Client) -> None:
    opened = read_only_client.get("/v1/session").json()
    assert (opened["signed_in"], opened["needs_key"], opened["collections"]) == (False, False, None)
    stale = read_only_client.get("/v1/collections", headers={"cookie": "afterimage_key=ai_0123456789ab_stale"})
    assert stale.status_code == 200
