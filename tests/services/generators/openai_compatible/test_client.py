"""However the server fails, one line says so, and what came before is kept."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from types import SimpleNamespace

import httpx2
import pytest

from services.generators.errors import GeneratorUnavailable
from services.generators.openai_compatible import client, silence_watch
from services.generators.openai_compatible.client import ChatClient
from services.generators.openai_compatible.generator import OpenAiCompatibleGenerator
from tests.support.closed_port import refuse_connections
from tests.support.fake_vllm import FakeVllm, run_fake_vllm
from tests.support.openai_fixtures import F1, I1, LIMITS, QUESTION, collect_answer, load_jpeg, make_generator
from tests.support.waiting import wait_for

API_KEY = "sk-very-secret"


def _expect_failure(fake: FakeVllm, timeout_s: float = 60.0) -> tuple[list[str], str]:
    """The sentences that were given before the error, and its line."""
    sentences: list[str] = []
    with pytest.raises(GeneratorUnavailable) as raised:
        sentences.extend(
            d.text for d in make_generator(fake.url, timeout_s=timeout_s, key=API_KEY).answer(QUESTION, [F1, I1])
        )
    line = str(raised.value)
    assert line.startswith(f"{fake.url}: ") and "\n" not in line and API_KEY not in line
    return sentences, line


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("death", "the connection broke off"),
        ("early end", "broke off in the middle"),
        ("complaint", "gave up: CUDA out of memory"),
        ("no choices", "sends no choices"),
        ("garbage", "no stream of events"),
        ("no json", "an invalid piece of an answer: '{hello'"),
        ("long line", "a line without end"),
        ("endless", "does not end"),
    ],
)
def test_what_was_said_before_the_server_failed_is_kept(fault: str, message: str) -> None:
    with run_fake_vllm(fault=fault, chunks=["A dog runs [F1]. ", "It ba"]) as fake:
        said, line = _expect_failure(fake)
    assert message in line
    assert said[:1] == ["A dog runs."] and "It ba" not in said
    assert fake.attempts == 1


def test_a_stream_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The read timeout comes by hand, so that no slow machine brings it earlier."""
    requests: list[httpx2.Request] = []

    def respond(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=_FallingSilent())

    transport = httpx2.MockTransport(respond)
    monkeypatch.setattr(client.httpx2, "Client", partial(httpx2.Client, transport=transport))
    sentences = []
    with pytest.raises(GeneratorUnavailable, match="said nothing for 60 s"):
        sentences.extend(draft.text for draft in make_generator("http://server/v1").answer(QUESTION, [F1]))
    assert (sentences, len(requests)) == (["A dog runs."], 1)


class _FallingSilent(httpx2.SyncByteStream):
    """A sentence and the beginning of another, then nothing within the read timeout."""

    def __iter__(self) -> Iterator[bytes]:
        for text in ("A dog runs [F1]. ", "It ba"):
            yield f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': text}}]})}\n\n".encode()
        raise httpx2.ReadTimeout("timed out")


def test_a_stream_that_only_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes without text keep a connection alive for no longer than the timeout; each look at the clock takes 10 s."""
    clock = count(step=10)
    monkeypatch.setattr(client, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=time.sleep))
    with run_fake_vllm(fault="drip", chunks=["A dog runs [F1]. ", "It ba"]) as fake:
        drafts = make_generator(fake.url).answer(QUESTION, [F1, I1])
        assert next(drafts).text == "A dog runs."
        with pytest.raises(GeneratorUnavailable, match="said nothing for 60 s"):
            next(drafts)
        assert fake.attempts == 1


@pytest.mark.parametrize(
    ("fault", "message", "timeout_s"),
    [
        ("silence", "said nothing for 0.3 s", 0.3),
        ("page", "answered with text/html", 60.0),
        ("json", "with application/json", 60.0),
    ],
)
def test_a_server_that_gives_no_stream_is_not_asked_again(fault: str, message: str, timeout_s: float) -> None:
    with run_fake_vllm(fault=fault) as fake:
        said, line = _expect_failure(fake, timeout_s)
    assert (said, fake.attempts) == ([], 1) and message in line


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, "", "it answered 400 (it went)"),
        (401, "", "refuses the key (it went); set AFTERIMAGE_GENERATOR__API_KEY"),
        (404, "", "does not know the model or the address (it went); see AFTERIMAGE_GENERATOR__MODEL"),
        (500, '{"object": "error", "message": "EngineCore died"}', "it answered 500 (EngineCore died)"),
        (429, "", "it is asked too often (it went)"),
        (504, "<html>Gateway</html>", "a proxy before it waited no longer (Gateway Timeout); raise the proxy's read"),
        (502, "<html><body>Bad</body></html>", "it answered 502 (Bad Gateway)"),
        (503, '{"error": "no healthy upstream"}', "it answered 503 (no healthy upstream)"),
        (307, "", "it answered 307 (it went)"),
    ],
)
def test_what_the_server_refuses_is_said_in_its_words_and_not_asked_again(status: int, body: str, message: str) -> None:
    with run_fake_vllm(status=status, body=body) as fake:
        _, line = _expect_failure(fake)
    assert message in line and fake.attempts == 1


def test_a_server_that_is_not_there_is_named() -> None:
    with refuse_connections() as address, pytest.raises(GeneratorUnavailable, match=f"{address}/v1: .* .*refused"):
        list(make_generator(f"http://{address}/v1").answer(QUESTION, [F1]))


def test_a_connection_that_fails_is_tried_three_times() -> None:
    with run_fake_vllm(dropped_connections=2) as fake:
        assert len(collect_answer(fake)) == 2
    assert fake.attempts == 3
    with run_fake_vllm(dropped_connections=3) as fake:
        _expect_failure(fake)
    assert fake.attempts == 3


def test_the_key_is_sent_and_never_shown() -> None:
    with run_fake_vllm(api_key=API_KEY) as fake:
        assert len(list(make_generator(fake.url, key=API_KEY).answer(QUESTION, [F1, I1]))) == 2
        with pytest.raises(GeneratorUnavailable, match=r"refuses the key \(Unauthorized Bearer …\)") as raised:
            fake.api_key = "another"
            list(make_generator(fake.url, key=API_KEY).answer(QUESTION, [F1]))
    assert API_KEY not in str(raised.value) and raised.value.__cause__ is None


def test_a_whole_header_goes_in_place_of_the_key_and_is_never_shown() -> None:
    secret = "Basic bWU6c2VjcmV0"
    with run_fake_vllm(authorization=secret) as fake:
        generator = OpenAiCompatibleGenerator(ChatClient(fake.url, API_KEY, 60, secret), load_jpeg, LIMITS, "m", 64)
        assert len(list(generator.answer(QUESTION, [F1, I1]))) == 2
        fake.authorization = "Basic another"
        with pytest.raises(GeneratorUnavailable, match=r"refuses the key \(Unauthorized Basic …\)"):
            list(generator.answer(QUESTION, [F1]))


@pytest.mark.parametrize(("fault", "said"), [("stall", ["A dog runs."]), ("silence", [])])
def test_a_server_that_falls_silent_and_closes_its_port_is_not_waited_for(
    fault: str, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a server does that is told to stop: what it has begun stays open for a minute."""
    monkeypatch.setattr(silence_watch, "_SILENCE_S", 0.02)
    with run_fake_vllm(fault=fault, chunks=["A dog runs [F1]. ", "It ba"]) as fake:
        sentences: list[str] = []
        with pytest.raises(GeneratorUnavailable, match="fell silent and takes no connections any more"):
            drafts = make_generator(fake.url).answer(QUESTION, [F1])
            with _port_closed_at(fake.asked if fault == "silence" else fake.streaming, fake):
                sentences.extend(draft.text for draft in drafts)
        assert sentences == said


@contextmanager
def _port_closed_at(event: threading.Event, fake: FakeVllm) -> Iterator[None]:
    """Close the fake's port when it has come as far as that."""
    closer = threading.Thread(target=lambda: event.wait() and fake.close_port())
    closer.start()
    try:
        yield
    finally:
        closer.join()


def test_a_server_that_is_silent_but_takes_connections_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence_watch, "_SILENCE_S", 0.02)
    with run_fake_vllm(fault="silence") as fake:
        _, line = _expect_failure(fake, timeout_s=0.5)
    assert "said nothing for 0.5 s" in line


@pytest.mark.parametrize(
    ("models", "message"),
    [('{"data": []}', "it has no model"), ("<html>", "its list of models cannot be read: '<html>'")],
)
def test_a_server_without_models_is_named(models: str, message: str) -> None:
    with run_fake_vllm(models_body=models) as fake, pytest.raises(GeneratorUnavailable, match=message):
        assert make_generator(fake.url, model="").model_id


def test_a_sentence_leaves_before_the_answer_is_complete_and_leaving_ends_the_request() -> None:
    with run_fake_vllm(fault="drip", chunks=["A dog runs [F1]. ", "It"]) as fake:
        drafts = make_generator(fake.url).answer(QUESTION, [F1])
        assert next(drafts).text == "A dog runs."
        assert not fake.client_gone.is_set() and not fake.stopping.is_set()
        drafts.close()  # type: ignore[attr-defined]  # generators can be closed
        wait_for(fake.client_gone, "the request is ended")
