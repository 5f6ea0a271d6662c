"""Search and ask over HTTP: the answers of the services, whole or as they come."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest
from fake_vllm import FakeVllm, fake_vllm
from serving import events, serving
from shared import Services

from api.schemas import AnswerShape, HitShape
from indexer.types import SegmentFilter
from services.container import Container
from services.types import Query

SOUP = "How much is the fish soup in the cafe on board?"
NOTICE = "What is the notice period once probation is over?"
UNRELATED = "How do I prune an apple tree in spring?"
STREAM = {"accept": "text/event-stream"}


@pytest.fixture
def container(services: Services, indexed_home: Path) -> Container:
    return services(indexed_home, generator__kind="extractive")


@pytest.fixture
def live(container: Container) -> Iterator[httpx2.Client]:
    with serving(container) as url, httpx2.Client(base_url=url, timeout=30) as client:
        yield client


@contextmanager
def behind(services: Services, home: Path, **settings: object) -> Iterator[tuple[httpx2.Client, FakeVllm]]:
    """A server whose answers come from a model behind another server, which fails as it is told."""
    with fake_vllm(**settings) as fake:
        container = services(
            home,
            generator__kind="openai_compatible",
            generator__quotes=False,
            generator__model="",
            generator__budget_tokens=8192,
            generator__url=fake.url,
            serve__answers=1,
            serve__waiting=1,
        )
        with serving(container) as url, httpx2.Client(base_url=url, timeout=30) as client:
            yield client, fake


def test_search_gives_what_the_services_find(live: httpx2.Client, container: Container) -> None:
    found = live.post("/v1/search", json={"question": SOUP, "limit": 3})
    expected = container.retrieval.search(Query(SOUP), SegmentFilter(), 3)
    assert found.status_code == 200 and expected
    assert found.json() == {"hits": [HitShape.of(moment).model_dump() for moment in expected]}


def test_search_looks_where_it_is_told(live: httpx2.Client) -> None:
    def kinds(**where: object) -> set[str]:
        found = live.post("/v1/search", json={"question": "ferry", "limit": 100, **where})
        assert found.status_code == 200, found.text
        return {hit["kind"] for hit in found.json()["hits"]}

    assert len(kinds()) > 1
    assert kinds(kinds=["document"]) == {"document"}
    (video,) = live.post("/v1/search", json={"question": SOUP, "limit": 1}).json()["hits"]
    assert kinds(assets=[video["asset"]]) == {"video"}
    assert kinds(before="2001-01-01") == set() == kinds(after="2999-01-01T00:00:00Z")
    assert kinds(collections=["default"]) == kinds()


def test_nothing_found_is_an_empty_list_and_an_abstention(live: httpx2.Client) -> None:
    assert live.post("/v1/search", json={"question": UNRELATED}).json() == {"hits": []}
    said = live.post("/v1/ask", json={"question": UNRELATED}).json()
    assert (said["abstained"], said["sentences"]) == (True, []) and said["usage"]["first_sentence_s"] is None


def test_a_picture_is_searched_for_in_any_form_that_can_be_indexed(live: httpx2.Client, archive: Path) -> None:
    photo = sorted((archive / "photos").glob("*.jpg"))[0]
    image = base64.b64encode(photo.read_bytes()).decode()
    found = live.post("/v1/search", json={"image": image}).json()["hits"]
    assert found[0]["name"] == f"photos/{photo.name}" and set(found[0]["lanes"]) == {"visual"}
    refused = live.post("/v1/search", json={"image": base64.b64encode(b"GIF89a but not really").decode()})
    assert refused.status_code == 422 and "/" not in refused.json()["detail"]


def test_an_answer_is_that_of_the_services(live: httpx2.Client, container: Container) -> None:
    said = live.post("/v1/ask", json={"question": NOTICE}).json()
    usage = said.pop("usage")
    assert said == AnswerShape.of(container.answering.ask(NOTICE, SegmentFilter())).model_dump()
    assert "eight weeks" in said["answer"]
    assert usage["model"] == "extractive" and usage["evidence"] > 0
    assert 0 <= usage["gathered_s"] <= usage["first_sentence_s"] <= usage["total_s"]


def test_a_stream_has_the_evidence_first_then_each_sentence_then_the_answer_then_its_usage(
    live: httpx2.Client,
) -> None:
    whole = live.post("/v1/ask", json={"question": NOTICE}).json()
    with live.stream("POST", "/v1/ask", json={"question": NOTICE}, headers=STREAM) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        came = list(events(response))
    names = [name for name, _ in came]
    assert names == ["evidence", *["sentence"] * len(whole["sentences"]), "answer", "usage"]
    ids = {one["id"] for one in came[0][1]["evidence"]}
    assert [said for name, said in came if name == "sentence"] == whole["sentences"]
    assert {cited["id"] for said in whole["sentences"] for cited in said["citations"]} <= ids
    assert came[-2][1] == {key: whole[key] for key in ("answer", "abstained", "sentences")}


def test_sentences_come_while_the_answer_is_written(services: Services, indexed_home: Path) -> None:
    pieces = ["It is said here [F1]. ", "And"]
    with (
        behind(services, indexed_home, pieces=pieces, fault="drip") as (client, fake),
        client.stream("POST", "/v1/ask", json={"question": SOUP}, headers=STREAM) as response,
    ):
        came = events(response)
        assert [next(came)[0], next(came)[0]] == ["evidence", "sentence"]
        assert not fake.over.is_set()


def test_a_client_that_goes_away_stops_the_model_in_mid_sentence(services: Services, indexed_home: Path) -> None:
    with behind(services, indexed_home, pieces=["It"], fault="endless") as (client, fake):
        with client.stream("POST", "/v1/ask", json={"question": SOUP}, headers=STREAM) as response:
            assert next(events(response))[0] == "evidence"
            while not fake.requests:
                pass
        assert fake.gone.wait(10)
        fake.gone.clear()
        with pytest.raises(httpx2.ReadTimeout):
            client.post("/v1/ask", json={"question": SOUP}, timeout=1)
        assert fake.gone.wait(10)


def test_answers_that_take_long_hold_up_no_search_and_too_many_are_sent_away(
    services: Services, indexed_home: Path
) -> None:
    with behind(services, indexed_home, pieces=["It"], fault="endless") as (client, _), ExitStack() as streams:
        for _ in range(2):
            asked = client.stream("POST", "/v1/ask", json={"question": SOUP}, headers=STREAM)
            assert next(events(streams.enter_context(asked)))[0] == "evidence"
        assert client.post("/v1/search", json={"question": SOUP}).status_code == 200
        refused = client.post("/v1/ask", json={"question": SOUP})
        assert refused.status_code == 503 and refused.headers["retry-after"]
        assert refused.json()["type"] == "urn:afterimage:overloaded"


def test_what_fails_before_the_first_event_is_a_response_and_afterwards_an_event(
    services: Services, indexed_home: Path
) -> None:
    with behind(services, indexed_home, status=500) as (client, _):
        whole = client.post("/v1/ask", json={"question": SOUP})
        assert whole.status_code == 503 and whole.json()["type"] == "urn:afterimage:generator-unavailable"
        assert "127.0.0.1" not in whole.text
        with client.stream("POST", "/v1/ask", json={"question": SOUP}, headers=STREAM) as response:
            came = list(events(response))
        assert [name for name, _ in came] == ["evidence", "error"]
        assert came[-1][1]["status"] == 503
        missing = client.post("/v1/ask", json={"question": SOUP, "collections": ["nowhere"]}, headers=STREAM)
        assert missing.status_code == 404 and missing.json()["detail"] == "no collection 'nowhere'"
