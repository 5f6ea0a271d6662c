"""All that a reader of an answer needs can be done with keys."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.api.web.conftest import OpenPage
from tests.support.small_archive import GULLS_QUERY, ROPE_SENTENCE


def test_a_question_is_asked_answered_and_opened_with_keys_alone(open_page: OpenPage) -> None:
    page = open_page()
    bar = page.get_by_role("combobox", name="Search or ask")
    expect(bar).to_be_visible()
    page.keyboard.press("/")
    expect(bar).to_be_focused()
    page.keyboard.type(GULLS_QUERY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=re.compile("^Proof"))).to_have_attribute("aria-pressed", "true")
    bar.blur()
    page.keyboard.press("j")
    expect(page.locator(".tile").first).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("[")
    expect(page.get_by_role("button", name=re.compile("^Proof"))).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Space")
    expect(page.locator("video")).to_have_js_property("paused", False)
    page.keyboard.press("Space")
    expect(page.locator("video")).to_have_js_property("paused", True)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/v/[0-9a-f]{64}\?t=2,6"))
    page.go_back()
    expect(page).to_have_url(re.compile("q="))


def test_help_opens_with_a_key_and_gives_the_focus_back(open_page: OpenPage) -> None:
    page = open_page("/library")
    row = page.get_by_role("link", name="prices.pdf")
    row.focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys and syntax")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(row).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="prices.pdf")).to_be_visible()
    page.keyboard.press("j")
    expect(page).to_have_url(re.compile(r"page=2"))
    expect(page.get_by_text(ROPE_SENTENCE)).to_be_attached()
