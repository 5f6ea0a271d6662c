"""The Python client, blocking and asynchronous, against a live server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from api.client import AsyncClient, Client, ProblemError, ServerUnavailable
from api.client.protocol import parse_events
from api.schemas.jobs import JobShape
from api.schemas.responses import EvidenceEvent, UsageShape
from api.schemas.results import AnswerShape, SentenceShape
from services.container import Container
from services.database.errors import DatabaseUnavailable
from services.egress.server_sent_events import EventStreamParser
from services.jobs.types import Job
from tests.support.containers import copy_home
from tests.support.live_server import live_server
from tests.support.small_archive import (
    GULLS_QUERY,
    GULLS_SENTENCE,
    HARBOUR,
    ROPE_QUERY,
    ROPE_SENTENCE,
    SHORE,
    make_document,
    open_small_archive,
)

PUFFIN_SENTENCE = "The puffin warden owes nine lanterns."


@pytest.fixture(scope="module")
def url(small_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    container = open_small_archive(copy_home(small_home, tmp_path_factory.mktemp("client") / "home"))
    with live_server(container) as address:
        yield address
    container.close()


def test_both_clients_give_the_same(url: str) -> None:
    async def ask_async() -> tuple[object, ...]:
        async with AsyncClient(url) as archive:
            told = [event async for event in archive.ask_stream(ROPE_QUERY)]
            return await archive.search(GULLS_QUERY), (await archive.ask(ROPE_QUERY)).answer, told[:-1]

    with Client(url) as archive:
        blocking = (
            archive.search(GULLS_QUERY),
            archive.ask(ROPE_QUERY).answer,
            list(archive.ask_stream(ROPE_QUERY))[:-1],
        )
    assert asyncio.run(ask_async()) == blocking
    assert blocking[0].hits[0].text == GULLS_SENTENCE and blocking[1] == ROPE_SENTENCE


def test_an_answer_is_told_in_parts(url: str) -> None:
    with Client(url) as archive:
        told = list(archive.ask_stream(ROPE_QUERY, collections=[HARBOUR]))
    assert [type(one) for one in told] == [EvidenceEvent, SentenceShape, AnswerShape, UsageShape]


def test_an_upload_reports_its_progress_and_its_job_is_followed_to_its_end(url: str, tmp_path: Path) -> None:
    make_document(tmp_path / "lanterns.pdf", PUFFIN_SENTENCE)
    size, sent = (tmp_path / "lanterns.pdf").stat().st_size, []
    with Client(url) as archive:
        upload = partial(archive.upload, tmp_path / "lanterns.pdf", "new", idempotency_key="lanterns")
        job = upload(progress=lambda done, whole: sent.append((done, whole)))
        assert upload().id == job.id
        *happened, end = archive.follow_job(job.id)
        assert sent == [(size, size)] and happened and isinstance(end, JobShape) and end.state == "done"
        assert archive.search("puffin warden owes lanterns").hits[0].name == "lanterns.pdf"
        assert end.asset_id is not None and archive.get_page(end.asset_id, 1).startswith(b"\xff\xd8")
        (gone,) = archive.delete_asset(end.asset_id)
        assert list(archive.follow_job(gone.id))[-1].state == "done"


def test_who_follows_a_job_waits_for_a_server_that_is_not_itself(
    writable_container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_document(tmp_path / "lanterns.pdf", PUFFIN_SENTENCE)
    get, outages = writable_container.background.jobs.get, [True, True, False, True, False, True]

    def get_or_fail(job_id: str) -> Job:
        if outages and outages.pop():
            raise DatabaseUnavailable("it went away")
        return get(job_id)

    async def follow_async(job: str) -> list[object]:
        async with AsyncClient(url) as archive:
            return [one async for one in archive.follow_job(job)]

    with live_server(writable_container) as url, Client(url) as archive:
        job = archive.upload(tmp_path / "lanterns.pdf", "new").id
        whole = list(archive.follow_job(job))
        monkeypatch.setattr(writable_container.background.jobs, "get", get_or_fail)
        assert list(archive.follow_job(job)) == whole and not outages
        outages += [True, False, True]
        assert asyncio.run(follow_async(job)) == whole and not outages
        outages.append(True)
        with pytest.raises(ProblemError, match="503"):
            archive.get_job(job)


def test_assets_are_looked_at(url: str) -> None:
    with Client(url) as archive:
        (video,) = [one for one in archive.list_assets(SHORE).items if one.kind == "video"]
        assert archive.get_asset(video.asset).collections == [SHORE]
        assert archive.get_frame(video.asset, 2.0, max_px=64, image_format="webp")[8:12] == b"WEBP"
        assert b"ftyp" in archive.get_clip(video.asset, 0, 0.4, max_px=64)[:16]
        assert {one.name for one in archive.list_collections()} >= {SHORE, HARBOUR}


def test_a_problem_is_an_error_with_all_that_the_server_said(url: str) -> None:
    with Client(url) as archive, pytest.raises(ProblemError, match="no collection 'nowhere'") as raised:
        archive.search("a", collections=["nowhere"])
    assert raised.value.problem.status == 404
    with Client(url) as archive, pytest.raises(ProblemError):
        list(archive.ask_stream("a", collections=["nowhere"]))


def test_a_server_that_is_not_there_is_named_as_that() -> None:
    with Client("http://127.0.0.1:9") as archive, pytest.raises(ServerUnavailable, match="cannot be reached"):
        archive.list_collections()


def test_a_stream_goes_on_behind_the_last_event_that_came_whole() -> None:
    parser = EventStreamParser("6")
    sent = "id: 7\nevent: event\ndata: a\u2028b\x85c\n\nid: 8\nevent: event\n".encode()
    events = [event for at in range(0, len(sent), 3) for event in parse_events(parser, sent[at : at + 3])]
    assert [(event.event, event.data) for event in events] == [("event", "a\u2028b\x85c")]
    assert parser.last_event_id == "7"
