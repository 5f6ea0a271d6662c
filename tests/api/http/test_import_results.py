"""Results of imports over HTTP: they name what the command line names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.live_server import live_server, read_events
from tests.support.small_archive import ROPE_SENTENCE, make_document, open_small_archive
from tests.support.waiting import TIMEOUT_S


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that may be imported, with two documents."""
    (tmp_path / "open").mkdir()
    make_document(tmp_path / "open" / "lanterns.pdf", "The puffin warden owes nine lanterns.")
    make_document(tmp_path / "open" / "prices.pdf", ROPE_SENTENCE)
    return tmp_path / "open"


@pytest.fixture
def client(folder: Path, tmp_path: Path) -> Iterator[httpx2.Client]:
    with (
        closing(open_small_archive(tmp_path / "home", ingest__allowed_roots=f'["{folder}"]')) as container,
        live_server(container) as url,
        httpx2.Client(base_url=url, timeout=TIMEOUT_S) as client,
    ):
        yield client


def _import(client: httpx2.Client, folder: Path) -> Any:  # noqa: ANN401 (a JSON document)
    """Import a folder; return the result of its job, which succeeds."""
    job = client.post("/v1/imports", json={"source": str(folder), "collection": "new"}).json()
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
        *_, (_, ended) = read_events(response)
    assert (ended["state"], ended["error"]) == ("done", None)
    return ended["result"]


def test_an_import_names_what_is_gone_and_subtitles_that_belong_to_nothing(client: httpx2.Client, folder: Path) -> None:
    first = _import(client, folder)
    assert first["gone"] == first["unmatched"] == []
    ids = {file["name"]: file["asset_id"] for file in first["files"]}
    (folder / "lanterns.pdf").unlink()
    (folder / "other.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    gone, lone = "its file is gone; it is still searched", "is a subtitle file that belongs to no recording here"
    assert _import(client, folder) == {
        "files": [{"name": "prices.pdf", "asset_id": ids["prices.pdf"], "reason": ""}],
        "gone": [{"name": "lanterns.pdf", "asset_id": ids["lanterns.pdf"], "reason": gone}],
        "unmatched": [{"name": "other.srt", "asset_id": None, "reason": lone}],
    }


def test_an_import_of_a_folder_whose_files_are_all_gone_names_them(client: httpx2.Client, folder: Path) -> None:
    _import(client, folder)
    for file in folder.iterdir():
        file.unlink()
    result = _import(client, folder)
    assert result["files"] == []
    assert [file["name"] for file in result["gone"]] == ["lanterns.pdf", "prices.pdf"]
