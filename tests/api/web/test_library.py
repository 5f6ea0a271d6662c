"""From an empty archive to a cited answer, in a browser: add a file, watch it being indexed, ask."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Request, Route, expect

from services.container import Container
from tests.api.web.conftest import OpenPage, watched
from tests.support.live_server import live_server
from tests.support.small_archive import ROPE_QUERY, ROPE_SENTENCE, make_document, open_small_archive


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    """The services over an empty home."""
    opened = open_small_archive(tmp_path / "home")
    yield opened
    opened.close()


def test_a_file_is_added_indexed_and_asked(open_page: OpenPage, tmp_path: Path) -> None:
    make_document(tmp_path / "prices.pdf", ROPE_SENTENCE)
    page = open_page()
    page.get_by_role("link", name="Add files").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "prices.pdf")
    expect(page.get_by_text("prices.pdf: done")).to_be_visible()
    expect(page.get_by_role("rowheader", name="prices.pdf")).to_be_visible()
    page.get_by_role("combobox", name="Search or ask").fill(ROPE_QUERY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Answer").get_by_text(ROPE_SENTENCE)).to_be_visible()
    page.get_by_role("link", name="Jobs").click()
    expect(page.get_by_text("Index prices.pdf")).to_be_visible()


def test_an_upload_goes_on_where_it_stopped_after_a_reload(
    chromium: Browser, server: str, small_archive: Path, tmp_path: Path
) -> None:
    padded = tmp_path / "gulls.mp4"
    padding = 20 * 2**20
    free_box = padding.to_bytes(4, "big") + b"free" + bytes(padding - 8)
    padded.write_bytes((small_archive / "shore" / "gulls.mp4").read_bytes() + free_box)
    offsets: list[int] = []

    def cut_off(route: Route) -> None:
        offset = int(route.request.headers.get("upload-offset", "0"))
        if route.request.method == "PATCH" and offset:
            route.abort()
        else:
            route.continue_()

    def note(request: Request) -> None:
        if request.method == "PATCH":
            offsets.append(int(request.headers["upload-offset"]))

    with watched(
        chromium.new_context(locale="en-GB"), urlsplit(server).netloc, lambda text: "ERR_FAILED" in text
    ) as context:
        page = context.new_page()
        page.goto(f"{server}/library")
        page.route("**/v1/uploads/tus/*", cut_off)
        with page.expect_event("requestfailed"):
            page.locator("input[type=file]").set_input_files(padded)
        page.reload()
        page.unroute("**/v1/uploads/tus/*")
        page.on("request", note)
        page.locator("input[type=file]").set_input_files(padded)
        expect(page.get_by_text("gulls.mp4: done")).to_be_visible()
        assert offsets[0] == 8 * 2**20


def test_a_file_that_cannot_be_read_says_why(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing more")
    page = open_page("/library")
    page.locator("input[type=file]").set_input_files(tmp_path / "broken.pdf")
    expect(page.get_by_text("broken.pdf: failed")).to_be_visible()
    expect(page.get_by_text("is damaged beyond reading")).to_be_visible()


def test_hostile_names_are_shown_as_they_are(open_page: OpenPage, container: Container, tmp_path: Path) -> None:
    name = '<img src=x onerror="document.title=1">\u202egnp.pdf'
    make_document(tmp_path / name, ROPE_SENTENCE)
    assert [line.outcome for line in container.indexing.index_paths([tmp_path / name], "default")] == ["indexed"]
    page = open_page("/library")
    expect(page.get_by_role("rowheader")).to_contain_text("<img src=x onerror")
    assert page.title() == "Afterimage"


def test_a_folder_of_the_server_is_imported_where_that_is_allowed(
    chromium: Browser, small_archive: Path, tmp_path: Path
) -> None:
    folder = small_archive / "harbour"
    with (
        closing(open_small_archive(tmp_path / "home2", ingest__allowed_roots=f'["{folder}"]')) as container,
        live_server(container) as url,
        watched(chromium.new_context(locale="en-GB"), urlsplit(url).netloc, lambda text: "403" in text) as context,
    ):
        page = context.new_page()
        page.goto(f"{url}/library")
        source = page.get_by_label("Or a path or address that the server reads")
        source.fill("/etc")
        page.get_by_role("button", name="Import").click()
        expect(page.locator(".drop .error")).to_contain_text("/etc: is not below one of the folders")
        source.fill(str(folder))
        page.keyboard.press("Enter")
        expect(page.get_by_text(f"{folder}: done")).to_be_visible()
        expect(page.get_by_role("rowheader", name="prices.pdf")).to_be_visible()
        page.get_by_role("link", name="Settings").click()
        page.get_by_role("button", name="Rebuild the index").click()
        expect(page.get_by_role("listitem").filter(has_text="Rebuild the index").get_by_text("done")).to_be_visible()


def test_a_dropped_folder_is_sent_whole(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("/library")
    for name in ("one", "two"):
        make_document(tmp_path / f"{name}.pdf", f"Page {name}. {ROPE_SENTENCE}")
    contents = {name: base64.b64encode((tmp_path / f"{name}.pdf").read_bytes()).decode() for name in ("one", "two")}
    # No browser lets a script make a folder to drop: what a browser hands over is made of its own interfaces' shape.
    page.locator(".drop").evaluate(
        """async (target, contents) => {
            const entries = [];
            for (const name of Object.keys(contents)) {
                const whole = new File([Uint8Array.from(atob(contents[name]), (c) => c.charCodeAt(0))], `${name}.pdf`);
                entries.push({ isFile: true, file: (resolve) => resolve(whole) });
            }
            const folder = {
                isFile: false,
                createReader: () => ({ readEntries: (resolve) => resolve(entries.splice(0, 1)) }),
            };
            const event = new Event('drop', { bubbles: true, cancelable: true });
            event.dataTransfer = { items: [{ webkitGetAsEntry: () => folder }], files: [] };
            target.dispatchEvent(event);
        }""",
        contents,
    )
    for name in contents:
        expect(page.get_by_text(f"{name}.pdf: done")).to_be_visible()
        expect(page.get_by_role("rowheader", name=f"{name}.pdf")).to_be_visible()


def test_a_key_is_asked_for_where_one_is_needed(chromium: Browser, container: Container) -> None:
    from services.access.api_keys import Scope

    key, secret = container.api_keys.create("reader", {Scope.READ}, None)
    with (
        live_server(container, allow_anonymous=False) as url,
        watched(chromium.new_context(locale="en-GB"), urlsplit(url).netloc, lambda text: "401" in text) as context,
    ):
        page = context.new_page()
        page.goto(f"{url}/library")
        page.get_by_label("API key").fill("ai_wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_have_text("This key is not valid.")
        page.get_by_label("API key").fill(secret)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("The archive is empty.")).to_be_visible()
        expect(page.locator("input[type=file]")).to_have_count(0)
        container.api_keys.revoke(key.id)
        page.get_by_role("link", name="Jobs").click()
        expect(page.get_by_text("The session has ended.")).to_be_visible()
        assert page.url == f"{url}/jobs"


def test_the_first_key_closes_the_server_and_is_kept_by_the_browser(
    chromium: Browser, server: str, container: Container
) -> None:
    with watched(chromium.new_context(locale="en-GB"), urlsplit(server).netloc, lambda text: "401" in text) as context:
        page = context.new_page()
        page.goto(f"{server}/settings")
        page.get_by_label("Name").fill("me")
        page.get_by_role("button", name="Create a key").click()
        expect(page.get_by_role("alert")).to_contain_text("The first key closes the server")
        page.get_by_label("admin").check()
        page.get_by_role("button", name="Create a key").click()
        expect(page.get_by_role("status")).to_contain_text("ai_")
        assert container.api_keys.any_active()
        page.get_by_role("link", name="Library").click()
        expect(page.get_by_text("The archive is empty.")).to_be_visible()
        other = chromium.new_context(locale="en-GB").new_page()
        other.goto(f"{server}/library")
        expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
        other.context.close()
