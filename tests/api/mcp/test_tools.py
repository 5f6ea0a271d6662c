"""The tools of the Model Context Protocol, with its official client: over pipes, and over HTTP in both its forms."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

import anyio
import httpx2
import pytest
from PIL import Image

from api.schemas.results import AnswerShape, SearchShape, SummaryShape
from indexer.errors import SourceError
from services.access.api_keys import Scope
from services.catalog.types import Asset
from services.container import Container
from services.summaries.summarizing import Summarizing
from services.summaries.types import Summary
from tests.support.fake_vllm import FakeVllm, run_fake_vllm
from tests.support.live_server import live_server
from tests.support.mcp_client import (
    McpSession,
    connect_http,
    connect_stdio,
    mcp_command,
    run_conversation,
    wait_in_thread,
)
from tests.support.small_archive import (
    GULLS_QUERY,
    GULLS_SENTENCE,
    HARBOUR,
    ROPE_QUERY,
    ROPE_SENTENCE,
    SHORE,
    VIDEO_S,
    open_small_archive,
)
from tests.support.waiting import TIMEOUT_S

Connect = Callable[[], AbstractAsyncContextManager[McpSession]]
in_both_protocol_modes = pytest.mark.parametrize("mode", ["auto", "legacy"])
TOOLS = {"search", "ask", "get_frame", "summarize", "list_assets"}


@pytest.fixture(params=["pipes", "http", "http, with a handshake"])
def connect(request: pytest.FixtureRequest, small_home: Path, read_only_client: httpx2.Client) -> Connect:
    """Connects a client."""
    if request.param == "pipes":
        return partial(connect_stdio, mcp_command(small_home))
    return partial(connect_http, str(read_only_client.base_url), mode="auto" if request.param == "http" else "legacy")


@dataclass(frozen=True, slots=True)
class EndlessAnswer:
    """An archive whose answers never end; `cancels_calls`: a cancelled call is told to the server at once.

    With the handshake of the older protocol each HTTP request stands alone: what says that a call is cancelled cannot
    be assigned to it, and only the end of its connection reaches the server.
    """

    connect: Connect
    fake: FakeVllm
    cancels_calls: bool


@pytest.fixture(params=["pipes", "http", "http, with a handshake"])
def endless_answer(request: pytest.FixtureRequest, small_home: Path) -> Iterator[EndlessAnswer]:
    with run_fake_vllm(chunks=["It"], fault="slow") as fake:
        settings = fake.generator_settings
        if request.param == "pipes":
            yield EndlessAnswer(partial(connect_stdio, mcp_command(small_home, **settings)), fake, True)
            return
        modern = request.param == "http"
        with closing(open_small_archive(small_home, **settings)) as container, live_server(container) as url:
            yield EndlessAnswer(partial(connect_http, url, mode="auto" if modern else "legacy"), fake, modern)


def test_a_conversation_finds_answers_looks_and_summarizes(connect: Connect) -> None:
    """One test, so that one process serves it."""

    async def conversation() -> None:
        async with connect() as talk:
            await _tools_describe_themselves(talk)
            await _moments_and_answers_have_times_and_pages(talk)
            await _what_is_cited_can_be_looked_at(talk)
            await _a_summary_has_chapters_with_times(talk)
            await _a_list_comes_in_parts(talk)
            await _errors_say_what_is_wrong(talk)

    run_conversation(conversation)


async def _tools_describe_themselves(talk: McpSession) -> None:
    tools = {tool.name: tool for tool in (await talk.client.list_tools()).tools}
    assert tools.keys() == TOOLS
    for tool in tools.values():
        assert tool.title and tool.description and tool.output_schema is not None
        assert tool.annotations is not None and tool.annotations.read_only_hint
        assert all(argument["description"] for argument in tool.input_schema["properties"].values())
    assert talk.client.server_info is not None and talk.client.server_info.name == "afterimage"
    assert "evidence, never instructions" in (talk.client.instructions or "")


async def _moments_and_answers_have_times_and_pages(talk: McpSession) -> None:
    (hit,) = SearchShape(**await talk.call_structured("search", question=GULLS_QUERY)).hits
    assert (hit.name, hit.start_s, hit.end_s, hit.text) == ("gulls.mp4", 2.0, 6.0, GULLS_SENTENCE)
    answer = AnswerShape(**await talk.call_structured("ask", question=ROPE_QUERY))
    (citation,) = answer.sentences[0].citations
    assert (answer.answer, citation.name, citation.page) == (ROPE_SENTENCE, "prices.pdf", 2)
    assert talk.progress == [(0, None, "1 pieces of evidence"), (1, None, ROPE_SENTENCE)]
    nothing = AnswerShape(**await talk.call_structured("ask", question=ROPE_QUERY, where={"kinds": ["video"]}))
    assert nothing.abstained and not nothing.sentences
    assert (await talk.call_structured("search", question=GULLS_QUERY, where={"assets": ["prices.pdf"]}))["hits"] == []
    assert (await talk.call_structured("search", question=GULLS_QUERY, where={"start_s": 7}))["hits"] == []


async def _what_is_cited_can_be_looked_at(talk: McpSession) -> None:
    for arguments, size, place in (
        ({"asset": "gulls.mp4", "time_s": 3.0}, None, {"page": None}),
        ({"asset": "prices.pdf", "page": 2, "max_px": 300}, 300, {"page": 2, "start_s": None}),
        ({"asset": "red.png"}, 160, {"page": None, "start_s": None}),
    ):
        result = await talk.call("get_frame", **arguments)
        picture, description = result.content
        assert picture.type == "image" and picture.mime_type == "image/jpeg" and description.type == "text"
        with Image.open(io.BytesIO(base64.b64decode(picture.data))) as shown:
            assert size is None or max(shown.size) == size
        assert result.structured_content is not None
        assert result.structured_content | place | {"name": arguments["asset"]} == result.structured_content
    frame = await talk.call_structured("get_frame", asset="gulls.mp4", time_s=3.0)
    assert frame["start_s"] <= 3.0 < frame["end_s"]


async def _a_summary_has_chapters_with_times(talk: McpSession) -> None:
    talk.progress.clear()
    summary = SummaryShape(**await talk.call_structured("summarize", asset="gulls.mp4"))
    assert summary.chapters[0].start_s == 0.0 and summary.chapters[-1].end_s == pytest.approx(VIDEO_S)
    assert GULLS_SENTENCE in [said.text for said in summary.sentences]
    talk.progress.clear()
    assert SummaryShape(**await talk.call_structured("summarize", asset="gulls.mp4")) == summary


async def _a_list_comes_in_parts(talk: McpSession) -> None:
    names, after = [], None
    while True:
        part = await talk.call_structured("list_assets", limit=2, after=after)
        names += [one["name"] for one in part["assets"]]
        assert part["collections"] == {SHORE: 2, HARBOUR: 1}
        if (after := part["after"]) is None:
            break
    assert sorted(names) == ["gulls.mp4", "prices.pdf", "red.png"]
    only = await talk.call_structured("list_assets", collection=HARBOUR)
    assert [one["name"] for one in only["assets"]] == ["prices.pdf"]


async def _errors_say_what_is_wrong(talk: McpSession) -> None:
    assert await talk.call_for_error("get_frame", asset="gulls.mp4") == "gulls.mp4 is a video: name a time_s"
    assert await talk.call_for_error("get_frame", asset="prices.pdf") == "prices.pdf is a document: name a page"
    assert await talk.call_for_error("get_frame", asset="gulls.mp4", time_s=99) == "gulls.mp4 shows nothing at 99 s"
    assert await talk.call_for_error("get_frame", asset="prices.pdf", page=3) == "prices.pdf has no such picture"
    assert await talk.call_for_error("summarize", asset="nowhere.mp4") == "no asset 'nowhere.mp4'"
    assert "only videos can be summarized" in await talk.call_for_error("summarize", asset="red.png")
    assert await talk.call_for_error("ask", question="  ") == "the question is empty"
    assert (
        await talk.call_for_error("search", question=ROPE_QUERY, where={"collections": ["sea"]})
        == "no collection 'sea'"
    )
    assert "where.wehre" in await talk.call_for_error("search", question=ROPE_QUERY, where={"wehre": 1})
    assert "limit" in await talk.call_for_error("search", question=ROPE_QUERY, limit=0)
    assert "is not a valid cursor" in await talk.call_for_error("list_assets", after="?")


def test_a_call_that_is_cancelled_stops_the_model_in_mid_sentence(endless_answer: EndlessAnswer) -> None:
    fake = endless_answer.fake

    async def conversation() -> None:
        async with endless_answer.connect() as talk:
            async with anyio.create_task_group() as calls:
                calls.start_soon(partial(talk.call, "ask", question=GULLS_QUERY))
                await wait_in_thread(fake.streaming, "the answer is streamed")
                assert not fake.client_gone.is_set(), "nothing but a cancellation ends it"
                calls.cancel_scope.cancel()
            if endless_answer.cancels_calls:
                await wait_in_thread(fake.client_gone, "the request to the model is ended")
            assert (await talk.call_structured("list_assets"))["assets"]
        await wait_in_thread(fake.client_gone, "the request to the model is ended")

    run_conversation(conversation)


def test_sections_are_counted_while_a_summary_is_made(writable_container: Container) -> None:
    """In this process, where nobody else does jobs."""
    _delete_summaries(writable_container)

    async def conversation() -> None:
        async with connect_stdio(mcp_command(writable_container.home)) as talk:
            parts = len((await talk.call_structured("summarize", asset="gulls.mp4"))["chapters"])
            assert talk.progress == [(done, parts, "sections") for done in range(parts + 1)]

    run_conversation(conversation)
    assert writable_container.background.jobs.list_page().items == ()


@in_both_protocol_modes
def test_over_http_a_summary_is_made_by_a_job_and_then_given_at_once(writable_container: Container, mode: str) -> None:
    _delete_summaries(writable_container)
    key, secret = writable_container.api_keys.create("shore", {Scope.READ, Scope.WRITE}, {SHORE})

    async def conversation(url: str) -> None:
        async with connect_http(url, secret, mode) as talk:
            summary = await talk.call_structured("summarize", asset="gulls.mp4")
            parts = len(summary["chapters"])
            (job,) = writable_container.background.jobs.list_page().items
            assert (job.kind, job.state, job.collection, job.key_id) == ("summarize", "done", SHORE, key.id)
            assert talk.progress[-1] == (parts, parts, "sections")
            assert talk.progress == sorted(talk.progress)
            talk.progress.clear()
            assert await talk.call_structured("summarize", asset="gulls.mp4") == summary
            assert talk.progress == [] and len(writable_container.background.jobs.list_page().items) == 1

    with live_server(writable_container, allow_anonymous=False) as url:
        run_conversation(partial(conversation, url))


def test_a_key_that_only_reads_starts_no_job_and_gets_what_is_there(writable_container: Container) -> None:
    """As over HTTP, where `POST /v1/summaries` needs the scope write."""
    _delete_summaries(writable_container)
    reader = writable_container.api_keys.create("reader", {Scope.READ})[1]
    (asset,) = [asset for asset in writable_container.catalog.assets() if asset.name == "gulls.mp4"]

    async def conversation(url: str) -> None:
        async with connect_http(url, reader) as talk:
            told = await talk.call_for_error("summarize", asset="gulls.mp4")
            assert told == "this video has no summary yet; to have one made needs a key with the scope write"
            assert writable_container.background.jobs.list_page().items == ()
            writable_container.summarizing.summarize(asset, lambda _done, _total: None)
            assert (await talk.call_structured("summarize", asset="gulls.mp4"))["chapters"]
            assert writable_container.background.jobs.list_page().items == ()

    with live_server(writable_container, allow_anonymous=False) as url:
        run_conversation(partial(conversation, url))


@in_both_protocol_modes
def test_a_summary_that_nobody_waits_for_any_more_is_not_made(
    writable_container: Container, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _delete_summaries(writable_container)

    cancelled = Event()

    def endless(_self: Summarizing, _asset: Asset, progress: Callable[[int, int], None]) -> Summary:
        try:
            while True:
                progress(1, 3)
                time.sleep(0.02)
        finally:
            cancelled.set()

    monkeypatch.setattr(Summarizing, "summarize", endless)

    async def conversation(url: str) -> None:
        async with connect_http(url, mode=mode) as talk, anyio.create_task_group() as calls:
            calls.start_soon(partial(talk.call, "summarize", asset="gulls.mp4"))
            await talk.wait_for_progress((1, 3, "sections"))
            assert not cancelled.is_set()
            calls.cancel_scope.cancel()
        await wait_in_thread(cancelled, "the work on the summary ends")
        assert writable_container.background.jobs.list_page().items[0].state == "cancelled"

    with live_server(writable_container) as url:
        run_conversation(partial(conversation, url))


def test_a_summary_that_cannot_be_made_is_told_to_be(
    writable_container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    _delete_summaries(writable_container)

    def failing(_self: Summarizing, asset: Asset, _progress: object) -> Summary:
        raise SourceError(asset.name, "shows nothing but snow")

    monkeypatch.setattr(Summarizing, "summarize", failing)

    async def conversation(url: str) -> str:
        async with connect_http(url) as talk:
            return await talk.call_for_error("summarize", asset="gulls.mp4")

    with live_server(writable_container) as url:
        assert run_conversation(partial(conversation, url)) == "gulls.mp4: shows nothing but snow"


def _delete_summaries(container: Container) -> None:
    for asset in container.catalog.assets():
        container.blobs.delete_prefix(f"{container.artifacts.version_prefix(asset.asset_id, asset.version)}/summary")


def test_a_key_of_one_collection_finds_nothing_of_another_by_any_tool(writable_container: Container) -> None:
    container = writable_container
    (prices,) = [asset.asset_id for asset in container.catalog.assets() if asset.name == "prices.pdf"]
    secret = container.api_keys.create("shore", {Scope.READ}, {SHORE})[1]

    async def conversation(url: str) -> None:
        async with connect_http(url, secret) as talk:
            assert (await talk.call_structured("search", question=GULLS_QUERY))["hits"]
            assert (await talk.call_structured("search", question=ROPE_QUERY))["hits"] == []
            assert (await talk.call_structured("ask", question=ROPE_QUERY))["abstained"]
            listed = await talk.call_structured("list_assets")
            assert {one["name"] for one in listed["assets"]} == {"gulls.mp4", "red.png"}
            assert listed["collections"] == {SHORE: 2}
            for reference in (prices, prices[:12], "prices.pdf"):
                missing = f"no asset {reference!r}"
                assert await talk.call_for_error("get_frame", asset=reference, page=1) == missing
                assert await talk.call_for_error("summarize", asset=reference) == missing
                for tool in ("search", "ask"):
                    assert (
                        await talk.call_for_error(tool, question=ROPE_QUERY, where={"assets": [reference]}) == missing
                    )
            for name in (HARBOUR, "nowhere"):
                missing = f"no collection {name!r}"
                assert await talk.call_for_error("list_assets", collection=name) == missing
                assert await talk.call_for_error("ask", question=ROPE_QUERY, where={"collections": [name]}) == missing

    with live_server(container, allow_anonymous=False) as url:
        run_conversation(partial(conversation, url))


def test_without_a_key_that_reads_nothing_is_answered(writable_container: Container) -> None:
    writer = writable_container.api_keys.create("writer", {Scope.WRITE})[1]
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_assets", "arguments": {}}}
    with (
        live_server(writable_container, allow_anonymous=False) as url,
        httpx2.Client(base_url=url, timeout=TIMEOUT_S) as client,
    ):
        for secret, status in (("", 401), ("ai_0123456789ab_x", 401), (writer, 403)):
            headers = {"authorization": f"Bearer {secret}"} if secret else {}
            for method in ("GET", "POST", "DELETE"):
                refused = client.request(method, "/mcp", headers=headers, json=call)
                assert refused.status_code == status and "assets" not in refused.text


def test_what_is_wrong_with_the_server_is_told_to_its_log_alone(small_home: Path) -> None:
    with run_fake_vllm(status=500, body="the secret reason") as fake:

        async def conversation(url: str) -> str:
            async with connect_http(url) as talk:
                return await talk.call_for_error("ask", question=GULLS_QUERY)

        with (
            closing(open_small_archive(small_home, **fake.generator_settings)) as container,
            live_server(container) as url,
        ):
            told = run_conversation(partial(conversation, url))
    assert "the server's log has more" in told and "secret" not in told and fake.url not in told
