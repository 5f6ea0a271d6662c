"""The same bytes in two collections, under two names: whoever sees one collection never reads the other one's name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from plain import ABOUT_ROPE, HARBOUR, SHORE
from serving import events, serving
from talking import hold, over_http

from services.container import Container
from services.keys import Scope

CALLED = {
    SHORE: {"prices": "shore/list of prices.pdf", "film": "shore/a day.mp4"},
    HARBOUR: {"prices": "harbour/secret merger.pdf", "film": "harbour/night raid.mp4"},
}
OTHER = {SHORE: HARBOUR, HARBOUR: SHORE}
both = pytest.mark.parametrize("mine", [SHORE, HARBOUR])


@dataclass
class Twice:
    """A server whose collections hold the same files, sent by the keys of each; ids by what the files are."""

    url: str
    secrets: dict[str, str]
    ids: dict[str, str]

    def client(self, collection: str) -> httpx2.Client:
        """A client with the key of one collection."""
        headers = {"authorization": f"Bearer {self.secrets[collection]}"}
        return httpx2.Client(base_url=self.url, timeout=60, headers=headers)


@pytest.fixture(scope="module")
def twice(plain_home_copy: Container, plain_archive: Path) -> Iterator[Twice]:
    container = plain_home_copy
    for asset in container.catalog.assets():
        container.indexing.delete_asset(asset.asset_id, None)
    files = {"prices": plain_archive / HARBOUR / "prices.pdf", "film": plain_archive / SHORE / "gulls.mp4"}
    scopes = {Scope.READ, Scope.WRITE}
    secrets = {name: container.api_keys.create(name, scopes, {name})[1] for name in (SHORE, HARBOUR)}
    with serving(container, open_to_all=False) as url:
        made = Twice(url, secrets, {})
        for collection in (SHORE, HARBOUR):
            with made.client(collection) as client:
                for what, path in files.items():
                    fields = {"collection": collection, "name": CALLED[collection][what]}
                    asked = client.post("/v1/uploads", data=fields, files={"file": ("x", path.read_bytes())})
                    job = _ended(client, asked.json())
                    assert job["state"] == "done", job
                    made.ids[what] = job["result"]["files"][0]["asset_id"]
        yield made


def _ended(client: httpx2.Client, job: dict[str, Any]) -> dict[str, Any]:
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
        return dict(list(events(response))[-1][1])


def _hides(text: str, mine: str) -> bool:
    return OTHER[mine] not in text and all(name.partition("/")[2] not in text for name in CALLED[OTHER[mine]].values())


@both
def test_every_route_tells_the_name_that_the_keys_collection_gave(twice: Twice, mine: str) -> None:
    prices, film = twice.ids["prices"], twice.ids["film"]
    chat = {"model": f"afterimage/{mine}", "messages": [{"role": "user", "content": ABOUT_ROPE}]}
    told = {
        "/v1/search": {"question": ABOUT_ROPE},
        "/v1/ask": {"question": ABOUT_ROPE},
        "/v1/chat/completions": chat,
        "/v1/assets": None,
        f"/v1/assets/{prices}": None,
    }
    with twice.client(mine) as client:
        for path, body in told.items():
            answer = client.get(path) if body is None else client.post(path, json=body)
            assert answer.status_code == 200 and _hides(answer.text, mine), path
            assert CALLED[mine]["prices"] in answer.text, path
        events_of = client.post("/v1/ask", json={"question": ABOUT_ROPE}, headers={"accept": "text/event-stream"})
        assert CALLED[mine]["prices"] in events_of.text and _hides(events_of.text, mine)
        for path in (f"{film}/clip?start_s=99&end_s=100", f"{film}/frames/99", f"{prices}/pages/9"):
            missing = client.get(f"/v1/assets/{path}")
            assert missing.status_code == 404 and _hides(missing.text, mine), path
            assert CALLED[mine]["film" if film in path else "prices"] in missing.json()["detail"]
        assert client.get(f"/v1/assets/{film}/media").headers["content-type"] == "video/mp4"


@both
def test_pages_of_a_list_lead_past_no_other_name(twice: Twice, mine: str) -> None:
    names, after = [], ""
    with twice.client(mine) as client:
        while after is not None:
            part = client.get("/v1/assets", params={"limit": 1} | ({"after": after} if after else {})).json()
            names += [one["name"] for one in part["items"]]
            after = part["after"]
    assert sorted(names) == sorted(CALLED[mine].values())


@both
def test_jobs_tell_of_what_they_do_by_the_name_of_their_collection(twice: Twice, mine: str) -> None:
    with twice.client(mine) as client:
        asked = client.post("/v1/summaries", json={"asset": twice.ids["film"]})
        with client.stream("GET", f"/v1/jobs/{asked.json()['id']}/events") as response:
            came = list(events(response))
        assert came[-1][1]["state"] == "done" and came[-1][1]["progress"]["note"] == CALLED[mine]["film"]
        assert _hides(str(came), mine)
        listed = client.get("/v1/jobs")
        assert len(listed.json()["items"]) >= 3 and _hides(listed.text, mine)
        refused = client.post("/v1/summaries", json={"asset": twice.ids["prices"]})
        assert CALLED[mine]["prices"] in refused.json()["detail"] and _hides(refused.text, mine)


@both
def test_the_tools_of_assistants_know_no_other_name(twice: Twice, mine: str) -> None:
    async def conversation() -> None:
        async with over_http(twice.url, twice.secrets[mine]) as talk:
            told = [
                await talk.shape("search", question=ABOUT_ROPE),
                await talk.shape("ask", question=ABOUT_ROPE),
                await talk.shape("list_assets"),
                await talk.shape("get_frame", asset=CALLED[mine]["prices"], page=1),
                await talk.shape("summarize", asset=CALLED[mine]["film"].partition("/")[2]),
                await talk.shape("get_frame", asset=twice.ids["film"][:12], time_s=3.0),
            ]
            for answer in told:
                assert any(name in str(answer) for name in CALLED[mine].values())
                assert _hides(str(answer), mine)
            assert _hides(str(talk.progress), mine)
            assert _hides(await talk.refusal("get_frame", asset=twice.ids["film"]), mine)
            for name in CALLED[OTHER[mine]].values():
                for hidden in (name, name.partition("/")[2]):
                    missing = f"no asset {hidden!r}"
                    assert await talk.refusal("summarize", asset=hidden) == missing
                    assert await talk.refusal("ask", question=ABOUT_ROPE, where={"assets": [hidden]}) == missing

    hold(partial(conversation))


def test_who_sees_both_collections_is_told_one_name_always(twice: Twice, plain_home_copy: Container) -> None:
    catalog = plain_home_copy.catalog
    for what, key in twice.ids.items():
        assert catalog.find(key).name == CALLED[HARBOUR][what]
        for collection in (SHORE, HARBOUR):
            assert catalog.find(CALLED[collection][what]).asset_id == key
