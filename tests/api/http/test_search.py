"""Search and ask over HTTP: the answers of the services, whole or as they come."""

from __future__ import annotations

import base64
import json
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.schemas.results import AnswerShape, HitShape
from indexer.types import SegmentFilter
from services.search.types import Query
from tests.support.containers import MakeContainer
from tests.support.fake_vllm import FakeVllm, run_fake_vllm
from tests.support.live_server import live_server, read_events
from tests.support.small_archive import GULLS_QUERY, HARBOUR, ROPE_QUERY, ROPE_SENTENCE, SHORE, open_small_archive
from tests.support.waiting import TIMEOUT_S, wait_for, wait_until

SOUP = "How much is the fish soup in the cafe on board?"
UNRELATED = "How do I prune an apple tree in spring?"
VISUAL_QUESTION = "When is the fire truck on the beach?"
STREAM = {"accept": "text/event-stream"}
JSON = {"content-type": "application/json"}


@contextmanager
def server_with_model(home: Path, **settings: object) -> Iterator[tuple[httpx2.Client, FakeVllm]]:
    """A server whose answers come from a model behind another server, which fails as it is told."""
    with run_fake_vllm(**settings) as fake:
        container = open_small_archive(
            home,
            **fake.generator_settings,
            generator__model="",
            generator__max_prompt_tokens="8192",
            serve__max_concurrent_answers="1",
            serve__max_queued="1",
        )
        with live_server(container) as url, httpx2.Client(base_url=url, timeout=TIMEOUT_S) as client:
            yield client, fake
        container.close()


def _stream_answer(client: httpx2.Client, question: str) -> Generator[tuple[str, Any], None, None]:
    with client.stream("POST", "/v1/ask", json={"question": question}, headers=STREAM) as response:
        yield from read_events(response)


def test_search_gives_what_the_services_find_by_words_and_by_pictures(
    make_container: MakeContainer, indexed_home: Path, archive: Path
) -> None:
    container = make_container(indexed_home, generator__kind="extractive")
    photo = min((archive / "photos").glob("*.jpg"))
    image = base64.b64encode(photo.read_bytes()).decode()
    with live_server(container) as url, httpx2.Client(base_url=url, timeout=TIMEOUT_S) as live:
        response = live.post("/v1/search", json={"question": SOUP, "limit": 3})
        expected = container.retrieval.search(Query(SOUP), SegmentFilter(), 3)
        assert expected and response.json() == {"hits": [HitShape.of(moment).model_dump() for moment in expected]}
        with ThreadPoolExecutor(8) as asking:
            answers = asking.map(lambda _: live.post("/v1/search", json={"question": SOUP, "limit": 3}), range(24))
        assert all(answer.json() == response.json() for answer in answers)
        (alike, *_) = live.post("/v1/search", json={"image": image}).json()["hits"]
        assert alike["name"] == f"photos/{photo.name}" and set(alike["lanes"]) == {"visual"}
        refused = live.post("/v1/search", json={"image": base64.b64encode(b"GIF89a but not really").decode()})
        assert refused.status_code == 422 and "/" not in refused.json()["detail"]


@pytest.mark.slow
def test_the_model_of_the_demo_profile_tells_what_it_sees(make_container: MakeContainer, indexed_home: Path) -> None:
    container = make_container(indexed_home)
    with live_server(container) as url, httpx2.Client(base_url=url, timeout=TIMEOUT_S) as live:
        received = list(_stream_answer(live, VISUAL_QUESTION))
        names = [name for name, _ in received]
        assert names[0] == "evidence" and names[-2:] == ["answer", "usage"]
        answer = AnswerShape.model_validate(received[-2][1])
        assert names.count("sentence") == len(answer.sentences)
        assert "onevision" in str(received[-1][1])


def test_search_looks_where_it_is_told(read_only_client: httpx2.Client) -> None:
    def names(**filters: object) -> set[str]:
        found = read_only_client.post("/v1/search", json={"question": f"{GULLS_QUERY}", **filters})
        assert found.status_code == 200, found.text
        return {hit["name"] for hit in found.json()["hits"]}

    assert names() == names(collections=[SHORE]) == names(kinds=["video"]) == names(start_s=1, end_s=3) == {"gulls.mp4"}
    assert names(collections=[HARBOUR]) == names(kinds=["document"]) == names(start_s=7) == set()
    assert names(before="2001-01-01") == names(after="2999-01-01T00:00:00Z") == set()


def test_nothing_found_is_an_empty_list_and_an_abstention(read_only_client: httpx2.Client) -> None:
    assert read_only_client.post("/v1/search", json={"question": UNRELATED}).json() == {"hits": []}
    said = read_only_client.post("/v1/ask", json={"question": UNRELATED}).json()
    assert (said["abstained"], said["sentences"]) == (True, []) and said["usage"]["first_sentence_s"] is None


def test_an_answer_says_what_it_took(read_only_client: httpx2.Client) -> None:
    said = read_only_client.post("/v1/ask", json={"question": ROPE_QUERY}).json()
    usage = said["usage"]
    assert said["answer"] == ROPE_SENTENCE and usage["model"] == "extractive" and usage["evidence"] > 0
    assert 0 <= usage["gathered_s"] <= usage["first_sentence_s"] <= usage["total_s"]


def test_a_follow_up_is_searched_for_with_the_questions_before_it(read_only_client: httpx2.Client) -> None:
    alone, follow_up = {"question": "And that?"}, {"question": "And that?", "previous": [UNRELATED, ROPE_QUERY]}
    assert read_only_client.post("/v1/ask", json=alone).json()["abstained"]
    with read_only_client.stream("POST", "/v1/ask", json=follow_up, headers=STREAM) as response:
        (_, gathered), *_, (_, answer), _ = read_events(response)
    assert gathered["query"] == f"{ROPE_QUERY} And that?"
    assert answer["answer"] == ROPE_SENTENCE
    without_meaning = {"question": ROPE_QUERY, "previous": ["", UNRELATED]}
    assert read_only_client.post("/v1/ask", json=without_meaning).status_code == 422


def test_a_stream_has_the_evidence_first_then_each_sentence_then_the_answer_then_its_usage(
    read_only_client: httpx2.Client,
) -> None:
    whole = read_only_client.post("/v1/ask", json={"question": ROPE_QUERY}).json()
    with read_only_client.stream("POST", "/v1/ask", json={"question": ROPE_QUERY}, headers=STREAM) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        received = list(read_events(response))
    assert [name for name, _ in received] == ["evidence", *["sentence"] * len(whole["sentences"]), "answer", "usage"]
    ids = {one["id"] for one in received[0][1]["evidence"]}
    assert [said for name, said in received if name == "sentence"] == whole["sentences"]
    assert {cited["id"] for said in whole["sentences"] for cited in said["citations"]} <= ids
    assert received[-2][1] == {key: whole[key] for key in ("answer", "abstained", "sentences")}


def test_sentences_come_while_the_answer_is_written(small_home: Path) -> None:
    chunks = [f"{ROPE_SENTENCE} [P1]. ", "And"]
    with server_with_model(small_home, chunks=chunks, fault="drip") as (client, fake):
        came = _stream_answer(client, ROPE_QUERY)
        assert [next(came)[0], next(came)[0]] == ["evidence", "sentence"]
        assert not fake.stopping.is_set()
        came.close()
        wait_for(fake.client_gone, "the request to the model, which sends comments and no text, is ended")


def test_a_client_that_goes_away_stops_the_model_in_mid_sentence(small_home: Path) -> None:
    with server_with_model(small_home, chunks=["It "], fault="slow") as (client, fake):
        event_stream = _stream_answer(client, ROPE_QUERY)
        assert next(event_stream)[0] == "evidence"
        wait_for(fake.streaming, "an answer is streamed")
        assert not fake.client_gone.is_set(), "nothing but the client's leaving ends it"
        event_stream.close()
        wait_for(fake.client_gone, "the request to the model is ended")
        fake.streaming.clear()
        fake.client_gone.clear()
        with closing(HTTPConnection(client.base_url.host, client.base_url.port)) as connection:
            connection.request("POST", "/v1/ask", json.dumps({"question": ROPE_QUERY}), JSON)
            wait_for(fake.streaming, "an answer that is no stream is generated")
            assert not fake.client_gone.is_set()
        wait_for(fake.client_gone, "the request to the model is ended")


def test_answers_that_take_long_hold_up_no_search_and_too_many_are_sent_away(small_home: Path) -> None:
    with server_with_model(small_home, chunks=["It "], fault="slow") as (client, fake), ExitStack() as streams:
        for _ in range(2):
            answer = streams.enter_context(closing(_stream_answer(client, ROPE_QUERY)))
            assert next(answer)[0] == "evidence"
        wait_for(fake.streaming, "one answer is streamed")
        waiting = 'afterimage_waiting{kind="answer"} 1.0'
        wait_until(lambda: waiting in client.get("/metrics").text, "the other answer waits")
        assert client.post("/v1/search", json={"question": ROPE_QUERY}).status_code == 200
        refused = client.post("/v1/ask", json={"question": ROPE_QUERY})
        assert refused.status_code == 503 and refused.headers["retry-after"]
        assert refused.json()["type"] == "urn:afterimage:overloaded"


def test_what_fails_before_the_first_event_is_a_response_and_afterwards_an_event(small_home: Path) -> None:
    with server_with_model(small_home, status=500) as (client, fake):
        whole = client.post("/v1/ask", json={"question": ROPE_QUERY})
        assert whole.status_code == 503 and whole.json()["type"] == "urn:afterimage:generator-unavailable"
        assert fake.url not in whole.text
        came = list(_stream_answer(client, ROPE_QUERY))
        assert [name for name, _ in came] == ["evidence", "error"] and came[-1][1]["status"] == 503
        body = {"question": ROPE_QUERY, "collections": ["nowhere"]}
        missing = client.post("/v1/ask", json=body, headers=STREAM)
        assert missing.status_code == 404 and missing.json()["detail"] == "no collection 'nowhere'"
