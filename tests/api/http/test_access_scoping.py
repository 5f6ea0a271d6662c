"""The same bytes in two collections, under two names: whoever sees one collection never reads the other one's name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from services.access.api_keys import Scope
from services.container import Container
from tests.support.live_server import live_server, read_events
from tests.support.mcp_client import connect_http, run_conversation
from tests.support.small_archive import HARBOUR, ROPE_QUERY, SHORE
from tests.support.waiting import TIMEOUT_S

NAMES = {
    SHORE: {"prices": "shore/list of prices.pdf", "film": "shore/a day.mp4"},
    HARBOUR: {"prices": "harbour/secret merger.pdf", "film": "harbour/night raid.mp4"},
}
OTHER_COLLECTION = {SHORE: HARBOUR, HARBOUR: SHORE}
in_both_collections = pytest.mark.parametrize("mine", [SHORE, HARBOUR])


@dataclass
class SharedFilesServer:
    """A server whose collections hold the same files, sent by the keys of each; ids by what the files are."""

    url: str
    secrets: dict[str, str]
    ids: dict[str, str]

    def client(self, collection: str) -> httpx2.Client:
        """A client with the key of one collection."""
        headers = {"authorization": f"Bearer {self.secrets[collection]}"}
        return httpx2.Client(base_url=self.url, timeout=TIMEOUT_S, headers=headers)


@pytest.fixture(scope="module")
def shared_files(module_container: Container, small_archive: Path) -> Iterator[SharedFilesServer]:
    container = module_container
    for asset in container.catalog.assets():
        container.deletion.delete_asset(asset.asset_id, None)
    files = {"prices": small_archive / HARBOUR / "prices.pdf", "film": small_archive / SHORE / "gulls.mp4"}
    scopes = {Scope.READ, Scope.WRITE}
    secrets = {name: container.api_keys.create(name, scopes, {name})[1] for name in (SHORE, HARBOUR)}
    with live_server(container, allow_anonymous=False) as url:
        shared_server = SharedFilesServer(url, secrets, {})
        for collection in (SHORE, HARBOUR):
            with shared_server.client(collection) as client:
                for file_key, path in files.items():
                    fields = {"collection": collection, "name": NAMES[collection][file_key]}
                    asked = client.post("/v1/uploads", data=fields, files={"file": ("x", path.read_bytes())})
                    job = _wait_for_job(client, asked.json())
                    assert job["state"] == "done", job
                    shared_server.ids[file_key] = job["result"]["files"][0]["asset_id"]
        yield shared_server


def _wait_for_job(client: httpx2.Client, job: dict[str, Any]) -> dict[str, Any]:
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
        return dict(list(read_events(response))[-1][1])


def _hides_other_names(text: str, mine: str) -> bool:
    return OTHER_COLLECTION[mine] not in text and all(
        name.partition("/")[2] not in text for name in NAMES[OTHER_COLLECTION[mine]].values()
    )


@in_both_collections
def test_every_route_tells_the_name_that_the_keys_collection_gave(shared_files: SharedFilesServer, mine: str) -> None:
    prices, film = shared_files.ids["prices"], shared_files.ids["film"]
    chat = {"model": f"afterimage/{mine}", "messages": [{"role": "user", "content": ROPE_QUERY}]}
    requests = {
        "/v1/search": {"question": ROPE_QUERY},
        "/v1/ask": {"question": ROPE_QUERY},
        "/v1/chat/completions": chat,
        "/v1/assets": None,
        f"/v1/assets/{prices}": None,
    }
    with shared_files.client(mine) as client:
        for path, body in requests.items():
            answer = client.get(path) if body is None else client.post(path, json=body)
            assert answer.status_code == 200 and _hides_other_names(answer.text, mine), path
            assert NAMES[mine]["prices"] in answer.text, path
        events_of = client.post("/v1/ask", json={"question": ROPE_QUERY}, headers={"accept": "text/event-stream"})
        assert NAMES[mine]["prices"] in events_of.text and _hides_other_names(events_of.text, mine)
        for path in (f"{film}/clip?start_s=99&end_s=100", f"{film}/frames/99", f"{prices}/pages/9"):
            missing = client.get(f"/v1/assets/{path}")
            assert missing.status_code == 404 and _hides_other_names(missing.text, mine), path
            assert NAMES[mine]["film" if film in path else "prices"] in missing.json()["detail"]
        assert client.get(f"/v1/assets/{film}/media").headers["content-type"] == "video/mp4"


@in_both_collections
def test_pages_of_a_list_lead_past_no_other_name(shared_files: SharedFilesServer, mine: str) -> None:
    names, after = [], ""
    with shared_files.client(mine) as client:
        while after is not None:
            part = client.get("/v1/assets", params={"limit": 1} | ({"after": after} if after else {})).json()
            names += [one["name"] for one in part["items"]]
            after = part["after"]
    assert sorted(names) == sorted(NAMES[mine].values())


@in_both_collections
def test_jobs_tell_of_what_they_do_by_the_name_of_their_collection(shared_files: SharedFilesServer, mine: str) -> None:
    with shared_files.client(mine) as client:
        asked = client.post("/v1/summaries", json={"asset": shared_files.ids["film"]})
        with client.stream("GET", f"/v1/jobs/{asked.json()['id']}/events") as response:
            came = list(read_events(response))
        assert came[-1][1]["state"] == "done" and came[-1][1]["progress"]["note"] == NAMES[mine]["film"]
        assert _hides_other_names(str(came), mine)
        listed = client.get("/v1/jobs")
        assert len(listed.json()["items"]) >= 3 and _hides_other_names(listed.text, mine)
        refused = client.post("/v1/summaries", json={"asset": shared_files.ids["prices"]})
        assert NAMES[mine]["prices"] in refused.json()["detail"] and _hides_other_names(refused.text, mine)


@in_both_collections
def test_the_tools_of_assistants_know_no_other_name(shared_files: SharedFilesServer, mine: str) -> None:
    async def conversation() -> None:
        async with connect_http(shared_files.url, shared_files.secrets[mine]) as talk:
            answers = [
                await talk.call_structured("search", question=ROPE_QUERY),
                await talk.call_structured("ask", question=ROPE_QUERY),
                await talk.call_structured("list_assets"),
                await talk.call_structured("get_frame", asset=NAMES[mine]["prices"], page=1),
                await talk.call_structured("summarize", asset=NAMES[mine]["film"].partition("/")[2]),
                await talk.call_structured("get_frame", asset=shared_files.ids["film"][:12], time_s=3.0),
            ]
            for answer in answers:
                assert any(name in str(answer) for name in NAMES[mine].values())
                assert _hides_other_names(str(answer), mine)
            assert _hides_other_names(str(talk.progress), mine)
            assert _hides_other_names(await talk.call_for_error("get_frame", asset=shared_files.ids["film"]), mine)
            for name in NAMES[OTHER_COLLECTION[mine]].values():
                for hidden in (name, name.partition("/")[2]):
                    missing = f"no asset {hidden!r}"
                    assert await talk.call_for_error("summarize", asset=hidden) == missing
                    assert await talk.call_for_error("ask", question=ROPE_QUERY, where={"assets": [hidden]}) == missing

    run_conversation(partial(conversation))


def test_who_sees_both_collections_is_told_one_name_always(
    shared_files: SharedFilesServer, module_container: Container
) -> None:
    catalog = module_container.catalog
    for what, key in shared_files.ids.items():
        assert catalog.find(key).name == NAMES[HARBOUR][what]
        for collection in (SHORE, HARBOUR):
            assert catalog.find(NAMES[collection][what]).asset_id == key
