"""Search and answer in a browser: what is said, and beside it what proves it."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from services.access.api_keys import Scope
from services.container import Container
from tests.api.web.conftest import OpenPage, watched
from tests.support.live_server import live_server
from tests.support.small_archive import GULLS_QUERY, GULLS_SENTENCE, HARBOUR, ROPE_QUERY, ROPE_SENTENCE, SHORE


def ask(page: Page, question: str) -> None:
    page.get_by_role("combobox", name="Search or ask").fill(question)
    page.keyboard.press("Enter")


def test_a_question_is_answered_beside_the_page_that_proves_it(open_page: OpenPage) -> None:
    page = open_page()
    ask(page, ROPE_QUERY)
    answer = page.get_by_role("region", name="Answer")
    expect(answer.get_by_text(ROPE_SENTENCE)).to_be_visible()
    expect(answer.get_by_text("supported")).to_be_visible()
    proof = page.get_by_role("region", name="Proof")
    expect(proof.get_by_role("img", name=re.compile("prices.pdf, page 2"))).to_be_visible()
    expect(page.get_by_role("region", name="Found").get_by_role("button", name=re.compile("prices.pdf"))).to_have_count(
        1
    )


def test_the_address_holds_question_and_proof(open_page: OpenPage) -> None:
    page = open_page()
    ask(page, GULLS_QUERY)
    page.get_by_role("button", name=re.compile("^Proof")).first.click()
    address = page.url.partition("127.0.0.1")[2].partition("/")[2]
    again = open_page(f"/{address}")
    expect(again.get_by_role("region", name="Answer").get_by_text(GULLS_SENTENCE)).to_be_visible()
    expect(again.locator("video")).to_have_js_property("readyState", 4)
    assert 1.9 <= again.locator("video").evaluate("video => video.currentTime") <= 2.5


def test_what_nothing_answers_is_said(open_page: OpenPage) -> None:
    page = open_page()
    ask(page, "zeppelin timetable of Jupiter")
    expect(page.get_by_text("Nothing in the archive answers this.")).to_be_visible()
    expect(page.get_by_text("Nothing was found.")).to_be_visible()


def test_filters_are_chips_that_can_be_taken_away(open_page: OpenPage) -> None:
    page = open_page()
    ask(page, f"{ROPE_QUERY} kind:video")
    expect(page.get_by_text("Nothing was found.")).to_be_visible()
    page.get_by_role("button", name="Remove the filter kind:video").click()
    expect(page.get_by_role("region", name="Answer").get_by_text(ROPE_SENTENCE)).to_be_visible()
    assert "kind" not in page.url


def test_filters_can_be_picked(open_page: OpenPage) -> None:
    page = open_page()
    ask(page, ROPE_QUERY)
    page.get_by_text("Filters", exact=True).click()
    page.get_by_role("checkbox", name="video").check()
    expect(page).to_have_url(re.compile("kind%3Avideo"))
    expect(page.get_by_text("Nothing was found.")).to_be_visible()
    page.get_by_role("checkbox", name="video").uncheck()
    page.get_by_role("combobox", name="Collection").select_option(HARBOUR)
    expect(page).to_have_url(re.compile(f"collection%3A{HARBOUR}"))
    expect(page.get_by_role("region", name="Answer").get_by_text(ROPE_SENTENCE)).to_be_visible()
    page.get_by_label("From").fill("2100-01-01")
    expect(page.get_by_role("button", name="Remove the filter after:2100-01-01")).to_be_visible()
    expect(page.get_by_text("Nothing was found.")).to_be_visible()


def test_results_stand_together_file_by_file(open_page: OpenPage) -> None:
    page = open_page()
    ask(page, f"{GULLS_QUERY} {ROPE_QUERY}")
    tiles = page.locator(".tile")
    expect(tiles.nth(1)).to_be_visible()
    count = tiles.count()
    page.get_by_role("checkbox", name="File by file").check()
    expect(page).to_have_url(re.compile("group=1"))
    expect(tiles).to_have_count(count)
    film = page.get_by_role("region", name="gulls.mp4")
    expect(film.get_by_role("group", name="Results in this video")).to_be_visible()
    names = page.locator(".found section").evaluate_all("all => all.map(each => each.getAttribute('aria-label'))")
    assert len(names) == len(set(names)) > 1


@pytest.mark.parametrize(("width", "zoom"), [(1280, 1), (1280, 3), (390, 1), (390, 2)])
def test_the_box_is_where_the_words_are(open_page: OpenPage, width: int, zoom: int) -> None:
    page = open_page()
    page.set_viewport_size({"width": width, "height": 800})
    ask(page, ROPE_QUERY)
    page.get_by_role("link", name="Open").click()
    expect(page).to_have_url(re.compile("box="))
    page.goto(f"{page.url}&zoom={zoom}")
    shown = page.locator(".boxed img")
    expect(shown).not_to_have_js_property("naturalWidth", 0)
    box, picture = page.locator(".boxed .box").bounding_box(), shown.bounding_box()
    assert box is not None
    assert picture is not None
    claimed = [float(side) for side in parse_qs(urlsplit(page.url).query)["box"][0].split(",")]
    drawn = [box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]]
    for side, (edge, share) in enumerate(zip(drawn, claimed, strict=True)):
        axis, size = (("x", "width"), ("y", "height"))[side % 2]
        assert abs(edge - picture[axis] - share * picture[size]) <= 1  # type: ignore[literal-required]
    # The sentence stands 72 points from the left, its base line 700 from the bottom, of a page of 595 by 842 points.
    assert abs(claimed[0] - 72 / 595.28) < 0.005
    assert 0 <= claimed[3] - (841.89 - 700) / 841.89 < 0.01
    if zoom > 1:
        assert picture["width"] > page.locator(".zoomed").evaluate("all => all.clientWidth") * (zoom - 0.1)


def test_a_follow_up_is_asked_in_its_conversation(open_page: OpenPage) -> None:
    page = open_page()
    ask(page, ROPE_QUERY)
    page.get_by_role("textbox", name="Follow-up question").fill("And that?")
    page.keyboard.press("Enter")
    answer, found = page.get_by_role("region", name="Answer"), page.get_by_role("region", name="Found")
    earlier = page.get_by_role("list", name="Asked before")
    expect(earlier.get_by_text(ROPE_SENTENCE)).to_be_visible()
    expect(answer.locator(".sentence").get_by_text(ROPE_SENTENCE)).to_be_visible()
    expect(found.get_by_role("button", name=re.compile("prices.pdf"))).to_have_count(1)
    page.reload()
    expect(answer.locator(".sentence").get_by_text(ROPE_SENTENCE)).to_be_visible()
    earlier.get_by_role("link", name=ROPE_QUERY).click()
    expect(earlier).to_have_count(0)
    expect(answer.locator(".sentence").get_by_text(ROPE_SENTENCE)).to_be_visible()


def test_a_key_that_sees_one_collection_sees_no_other(chromium: Browser, container: Container) -> None:
    _, secret = container.api_keys.create("shore", {Scope.READ}, [SHORE])
    with (
        live_server(container, allow_anonymous=False) as url,
        watched(chromium.new_context(locale="en-GB"), urlsplit(url).netloc, lambda text: "401" in text) as context,
    ):
        page = context.new_page()
        page.goto(url)
        page.get_by_label("API key").fill(secret)
        page.get_by_role("button", name="Sign in").click()
        ask(page, f"{GULLS_QUERY} {ROPE_QUERY}")
        tiles = page.locator(".tile")
        expect(tiles.filter(has_text="gulls.mp4")).to_have_count(1)
        expect(tiles.filter(has_text="prices.pdf")).to_have_count(0)
        page.get_by_text("Filters", exact=True).click()
        expect(page.get_by_role("combobox", name="Collection").get_by_role("option")).to_have_text(
            ["All collections", SHORE]
        )
        page.get_by_role("link", name="Library").click()
        expect(page.get_by_role("rowheader", name="gulls.mp4")).to_be_visible()
        expect(page.get_by_role("rowheader", name="prices.pdf")).to_have_count(0)
        expect(page.locator("input[type=file]")).to_have_count(0)
