"""Search and answer in a browser: what is said, and beside it what proves it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.api.web.conftest import OpenPage
from tests.support.small_archive import GULLS_QUERY, GULLS_SENTENCE, ROPE_QUERY, ROPE_SENTENCE


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


def test_the_box_is_where_the_words_are(open_page: OpenPage) -> None:
    page = open_page()
    ask(page, ROPE_QUERY)
    shown = page.locator(".boxed img")
    expect(shown).not_to_have_js_property("naturalWidth", 0)
    box, picture = page.locator(".boxed .box").bounding_box(), shown.bounding_box()
    assert box is not None
    assert picture is not None
    # The sentence stands 72 points from the left, its base line 700 from the bottom, of a page of 595 by 842 points.
    left = (box["x"] - picture["x"]) / picture["width"]
    bottom = (box["y"] + box["height"] - picture["y"]) / picture["height"]
    assert abs(left - 72 / 595.28) < 0.01
    assert 0 <= bottom - (841.89 - 700) / 841.89 < 0.01


def test_a_follow_up_is_asked_in_its_conversation(open_page: OpenPage) -> None:
    page = open_page()
    ask(page, ROPE_QUERY)
    page.get_by_role("textbox", name="Ask on").fill("And that?")
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
