"""Every page passes axe-core: light and dark, in Korean, and at the width of a phone."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from services.container import Container
from tests.api.web.conftest import watched
from tests.support.small_archive import GULLS_QUERY, ROPE_QUERY

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
VIEWS = {
    "light": {"color_scheme": "light", "locale": "en-GB", "viewport": DESK},
    "dark": {"color_scheme": "dark", "locale": "en-GB", "viewport": DESK},
    "korean": {"color_scheme": "light", "locale": "ko-KR", "viewport": DESK},
    "phone": {"color_scheme": "dark", "locale": "en-GB", "viewport": PHONE},
}


@pytest.fixture(params=list(VIEWS))
def view(request: pytest.FixtureRequest, chromium: Browser, server: str) -> Iterator[Page]:
    with watched(chromium.new_context(**VIEWS[request.param]), urlsplit(server).netloc, lambda _text: False) as context:
        yield context.new_page()


@pytest.mark.slow
def test_no_page_has_a_violation(view: Page, server: str, container: Container) -> None:
    ids = {asset.name: asset.asset_id for asset in container.catalog.assets()}
    addresses = {
        "/": "ul.grid img",
        f"/?q={quote(ROPE_QUERY)}": ".boxed .box",
        f"/?turn={quote(ROPE_QUERY)}&q={quote(f'And that? {GULLS_QUERY}')}&group=1": ".found h3",
        f"/v/{ids['gulls.mp4']}?t=2,6": ".transcript .line",
        f"/d/{ids['prices.pdf']}?page=2": ".text-layer span",
        f"/d/{ids['prices.pdf']}?page=2&zoom=2&box=0.1,0.1,0.4,0.2": ".zoomed .box",
        f"/p/{ids['red.png']}": ".boxed img",
        "/library": "table",
        f"/summaries?v={ids['gulls.mp4']}": "video",
        "/jobs": "h1",
        "/settings": ".health",
    }
    violations = {}
    for address, awaited in addresses.items():
        view.goto(server + address)
        expect(view.locator(awaited).first).to_be_attached()
        view.locator(".picker summary").click()
        found = Axe().run(view).response["violations"]
        violations[address] = [(each["id"], each["nodes"][0]["html"][:200]) for each in found]
    assert {address: found for address, found in violations.items() if found} == {}
    assert view.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the window"
