"""Fixtures: the page in a real browser, which tells of every error and of every request to another host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, expect, sync_playwright

from services.container import Container
from tests.support.containers import copy_home
from tests.support.live_server import live_server
from tests.support.small_archive import open_small_archive

CHROMIUM = Path("/usr/bin/chromium")
OpenPage = Callable[..., Page]
_WAIT_MS = 60_000
"""Chosen: a minute for what takes a second, on machines that are slow; nothing waits for it where all goes well."""
expect.set_options(timeout=_WAIT_MS)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """The driver of browsers; while it is there no other event loop can run in this thread."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    yield browser
    browser.close()


@contextmanager
def watched(context: BrowserContext, host: str, expected: Callable[[str], bool]) -> Iterator[BrowserContext]:
    """Fail where the page had an error that was not expected, or asked another host."""
    troubles: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not expected(message.text):
            troubles.append(message.text)

    def look(page: Page) -> None:
        page.on("console", hear)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: None if _is_own(request.url, host) else troubles.append(request.url))

    context.on("page", look)
    context.set_default_timeout(_WAIT_MS)
    yield context
    context.close()
    assert troubles == []


def _is_own(url: str, host: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("blob", "data") or parts.netloc == host


@pytest.fixture
def container(small_home: Path, tmp_path: Path) -> Iterator[Container]:
    """The services over a copy of the small archive."""
    opened = open_small_archive(copy_home(small_home, tmp_path / "home"))
    yield opened
    opened.close()


@pytest.fixture
def server(container: Container) -> Iterator[str]:
    """An open server over the small archive."""
    with live_server(container) as url:
        yield url


@pytest.fixture
def open_page(chromium: Browser, server: str) -> Iterator[OpenPage]:
    """Open an address of the server in a new tab."""
    with watched(chromium.new_context(locale="en-GB"), urlsplit(server).netloc, lambda _text: False) as context:

        def opened(path: str = "/") -> Page:
            page = context.new_page()
            page.goto(server + path)
            return page

        yield opened
