"""A server that is killed in the middle of an answer, and comes back: the page says so, and asks again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.api.web.conftest import watched
from tests.support.containers import copy_home
from tests.support.database_servers import find_free_port
from tests.support.fake_vllm import run_fake_vllm
from tests.support.server_processes import start_afterimage, wait_until_ready
from tests.support.small_archive import ROPE_QUERY, WITHOUT_MODELS
from tests.support.waiting import wait_for

_SAID = "The rope costs forty crowns."


@contextmanager
def _killed_afterwards(home: Path, log: Path, settings: dict[str, str], port: int) -> Iterator[None]:
    server = start_afterimage(home, log, settings, "serve", "--port", str(port))
    try:
        wait_until_ready(server, port)
        yield
    finally:
        server.kill()
        server.wait()


def test_what_a_restart_cut_off_can_be_asked_again(chromium: Browser, small_home: Path, tmp_path: Path) -> None:
    home, log, port = copy_home(small_home, tmp_path / "home"), tmp_path / "serve.log", find_free_port()
    with (
        run_fake_vllm(chunks=[f"{_SAID[:-1]} [P1]. And it "], fault="slow") as fake,
        watched(chromium.new_context(locale="en-GB"), f"127.0.0.1:{port}", lambda text: "ERR_" in text) as context,
    ):
        settings = WITHOUT_MODELS | fake.generator_settings | {"generator__model": ""}
        page = context.new_page()
        answer = page.get_by_role("region", name="Answer")
        with _killed_afterwards(home, log, settings, port):
            page.goto(f"http://127.0.0.1:{port}")
            page.get_by_role("combobox", name="Search or ask").fill(ROPE_QUERY)
            page.keyboard.press("Enter")
            wait_for(fake.streaming, "an answer is streamed")
            expect(answer.get_by_text(_SAID)).to_be_visible()
        expect(answer.get_by_role("alert")).to_contain_text("The server cannot be reached")
        expect(answer.get_by_text(_SAID)).to_be_visible()
        fake.fault, fake.chunks = "", [f"{_SAID[:-1]} [P1]."]
        with _killed_afterwards(home, log, settings, port):
            answer.get_by_role("button", name="Try again").click()
            expect(answer.get_by_role("alert")).to_have_count(0)
            expect(answer.get_by_text(_SAID)).to_be_visible()
            expect(answer.get_by_role("textbox", name="Follow-up question")).to_be_visible()
