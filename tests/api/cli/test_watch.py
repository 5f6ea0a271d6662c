"""`afterimage watch` and a server that watches, as processes of their own."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import httpx2
import pytest

from tests.support.cli_runner import RunCommand
from tests.support.server_processes import run_server, start_afterimage
from tests.support.small_archive import WITHOUT_MODELS, make_document
from tests.support.waiting import TIMEOUT_S, wait_until

SETTINGS = WITHOUT_MODELS | {"ingest__watch_quiet_s": "0.3"}


@pytest.mark.slow
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_watch_prints_what_changes_and_ends_cleanly(
    run_command: RunCommand, tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    home, log, folder = tmp_path / "home", tmp_path / "log", tmp_path / "papers"
    previous_handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a child inherits an ignored one
    run = start_afterimage(home, log, SETTINGS, "watch", str(folder), "-c", "trips")
    signal.signal(signal.SIGINT, previous_handler)
    try:
        wait_until(lambda: "is not there" in log.read_text(), "the missing folder is named")
        folder.mkdir()
        make_document(folder / "first.pdf", "The ferry leaves at noon.")
        wait_until(lambda: "indexed first.pdf" in log.read_text(), "the first file is indexed")
        wait_until(lambda: "1 indexed; watching" in log.read_text(), "it rests")
        (folder / "first.pdf").rename(folder / "renamed.pdf")
        wait_until(lambda: "moved renamed.pdf: was first.pdf" in log.read_text(), "the move is seen")
        run.send_signal(number)
        assert run.wait(TIMEOUT_S) == exit_code
    finally:
        run.kill()
        run.wait()
    text = log.read_text()
    assert "Traceback" not in text
    assert ("stopped; what was finished is kept" in text) == (number is signal.SIGINT)
    assert [asset["name"] for asset in run_command(home, "list", "-c", "trips", "--json").json] == ["renamed.pdf"]


@pytest.mark.slow
def test_a_watch_prints_lines_of_json(tmp_path: Path) -> None:
    folder, log = tmp_path / "papers", tmp_path / "log"
    folder.mkdir()
    make_document(folder / "first.pdf", "The ferry leaves at noon.")
    run = start_afterimage(tmp_path / "home", log, SETTINGS, "watch", str(folder), "--json", "--poll", "0.1")
    try:
        wait_until(lambda: log.read_text().count("\n") == 1, "the first line")
        make_document(folder / "second.pdf", "The ferry leaves at two.")
        wait_until(lambda: log.read_text().count("\n") == 2, "the second line")
    finally:
        run.send_signal(signal.SIGTERM)
        run.wait(TIMEOUT_S)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["outcome"], line["name"]) for line in lines] == [("indexed", "first.pdf"), ("indexed", "second.pdf")]


def test_a_file_is_no_folder_to_watch(run_command: RunCommand, tmp_path: Path) -> None:
    make_document(tmp_path / "paper.pdf", "Something.")
    result = run_command(None, "watch", tmp_path / "paper.pdf")
    assert result.exit_code == 2
    assert "is a file" in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.slow
def test_a_server_watches_the_folders_of_its_settings(tmp_path: Path) -> None:
    folder, log = tmp_path / "papers", tmp_path / "log"
    folder.mkdir()
    make_document(folder / "first.pdf", "The lighthouse keeper counts seventeen gulls.")
    settings = SETTINGS | {"ingest__watch": json.dumps({"trips": [str(folder)]}), "ingest__watch_prune": "true"}
    with run_server(tmp_path / "home", log, settings) as server, httpx2.Client(base_url=server.url) as client:

        def names() -> list[str]:
            response = client.get("/v1/assets", params={"collection": "trips"})
            return sorted(asset["name"] for asset in response.json().get("items", []))

        wait_until(lambda: names() == ["first.pdf"], "the first file is indexed")
        make_document(folder / "second.pdf", "The mooring rope costs forty crowns.")
        wait_until(lambda: names() == ["first.pdf", "second.pdf"], "the second file is indexed")
        (folder / "first.pdf").unlink()
        wait_until(lambda: names() == ["second.pdf"], "the gone file is removed")
    assert "indexed second.pdf" in log.read_text() and "Traceback" not in log.read_text()
