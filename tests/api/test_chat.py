"""The chat routes with OpenAI's official client, against a live server: whole and as a stream, in both its worlds."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from fake_vllm import FakeVllm, fake_vllm
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam
from plain import ABOUT_GULLS, ABOUT_ROPE, GULLS, HARBOUR, ROPE, SHORE, plain_container
from serving import serving
from shared import Services

from services.answering import NOTHING_FOUND
from services.container import Container
from services.keys import Scope

MODEL, SEA = f"afterimage/{HARBOUR}", f"afterimage/{SHORE}"
PIXEL = "data:image/png;base64," + base64.b64encode(b"\x89PNG no picture").decode()


def _client(url: str, key: str = "none") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=300)


def _said(*questions: str) -> list[ChatCompletionMessageParam]:
    """A conversation: what the user said, with answers in between."""
    messages: list[ChatCompletionMessageParam] = [{"role": "system", "content": "Speak like a sailor."}]
    for question in questions[:-1]:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": "Aye."}]
    return [*messages, {"role": "user", "content": questions[-1]}]


def _shows(*urls: str, text: str = "") -> list[ChatCompletionMessageParam]:
    parts: list[Any] = [{"type": "image_url", "image_url": {"url": url, "detail": "low"}} for url in urls]
    return [{"role": "user", "content": [*parts, {"type": "text", "text": text}]}]


@dataclass
class Heard:
    """What the chunks of a stream say together."""

    roles: list[str] = field(default_factory=list)
    text: str = ""
    sentences: list[dict[str, Any]] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    usage: list[int] = field(default_factory=list)

    def hear(self, chunk: ChatCompletionChunk) -> None:
        assert chunk.object == "chat.completion.chunk" and chunk.id.startswith("chatcmpl-") and chunk.model == MODEL
        if chunk.usage is not None:
            assert chunk.choices == []
            self.usage.append(chunk.usage.total_tokens)
            return
        (choice,) = chunk.choices
        self.roles += [choice.delta.role] if choice.delta.role else []
        self.text += choice.delta.content or ""
        self.sentences += getattr(choice.delta, "sentences", [])
        self.ends += [choice.finish_reason] if choice.finish_reason else []


@pytest.fixture
def chat(reading: httpx2.Client) -> Iterator[openai.OpenAI]:
    """The client of an open server, which takes any key that is not of the archive."""
    with _client(str(reading.base_url)) as client:
        yield client


@contextmanager
def _behind(home: Path, **fake: object) -> Iterator[tuple[openai.OpenAI, FakeVllm]]:
    """A server whose answers come from a model behind another server, which fails as it is told."""
    with fake_vllm(**fake) as model:
        settings = {
            "generator__kind": "openai_compatible",
            "generator__quote_text": "false",
            "generator__url": model.url,
        }
        with (
            closing(plain_container(home, **settings)) as container,
            serving(container) as url,
            _client(url) as client,
        ):
            yield client, model


def test_an_answer_has_its_words_citations_and_usage(chat: openai.OpenAI) -> None:
    answer = chat.chat.completions.create(model=MODEL, messages=_said(ABOUT_ROPE), temperature=0.2, max_tokens=5)
    (choice,) = answer.choices
    assert (answer.object, answer.model, choice.finish_reason) == ("chat.completion", MODEL, "stop")
    assert (choice.message.role, choice.message.content) == ("assistant", ROPE)
    (sentence,) = choice.message.sentences  # type: ignore[attr-defined]  # beyond OpenAI's shape
    assert sentence["text"] == ROPE and sentence["verdict"] == "supported"
    (citation,) = sentence["citations"]
    assert (citation["name"], citation["page"], citation["quote"]) == ("prices.pdf", 2, ROPE)
    usage = answer.usage
    assert usage is not None and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.completion_tokens == round(len(ROPE) / 4)


def test_a_stream_says_the_same_chunk_by_chunk(chat: openai.OpenAI) -> None:
    whole = chat.chat.completions.create(model=MODEL, messages=_said(ABOUT_ROPE))
    heard = Heard()
    options: Any = {"include_usage": True}
    for chunk in chat.chat.completions.create(
        model=MODEL, messages=_said(ABOUT_ROPE), stream=True, stream_options=options
    ):
        heard.hear(chunk)
    message = whole.choices[0].message
    assert (heard.roles, heard.text, heard.ends) == (["assistant"], message.content, ["stop"])
    assert heard.sentences == message.sentences  # type: ignore[attr-defined]  # beyond OpenAI's shape
    assert whole.usage is not None and heard.usage == [whole.usage.total_tokens]


def test_the_client_that_waits_for_nothing_works_too(reading: httpx2.Client) -> None:
    async def talk() -> None:
        async with openai.AsyncOpenAI(base_url=f"{reading.base_url}/v1", api_key="none", max_retries=0) as client:
            whole = await client.chat.completions.create(model=MODEL, messages=_said(ABOUT_ROPE))
            heard = Heard()
            async for chunk in await client.chat.completions.create(
                model=MODEL, messages=_said(ABOUT_ROPE), stream=True
            ):
                heard.hear(chunk)
            assert heard.text == whole.choices[0].message.content == ROPE and heard.usage == []

    asyncio.run(talk())


def test_a_question_without_an_answer_says_so(chat: openai.OpenAI) -> None:
    message = chat.chat.completions.create(model=MODEL, messages=_said(ABOUT_GULLS)).choices[0].message
    assert (message.content, message.sentences) == (NOTHING_FOUND, [])  # type: ignore[attr-defined]
    heard = Heard()
    for chunk in chat.chat.completions.create(model=MODEL, messages=_said(ABOUT_GULLS), stream=True):
        heard.hear(chunk)
    assert (heard.text, heard.ends) == (NOTHING_FOUND, ["stop"])


def test_a_question_that_follows_another_leans_on_it(chat: openai.OpenAI) -> None:
    def answer(*questions: str) -> str | None:
        return chat.chat.completions.create(model=MODEL, messages=_said(*questions)).choices[0].message.content

    assert answer("Where is it?") == NOTHING_FOUND
    assert answer(ABOUT_ROPE, "Where is it?") == ROPE
    assert answer(ABOUT_ROPE, ABOUT_GULLS) == NOTHING_FOUND


def test_models_are_the_collections(chat: openai.OpenAI) -> None:
    assert [model.id for model in chat.models.list()] == [MODEL, SEA]
    assert chat.models.retrieve(SEA).owned_by == "afterimage"


def test_a_picture_is_looked_for(services: Services, indexed_home: Path, archive: Path) -> None:
    container = services(indexed_home, generator__kind="extractive")
    photo = min((archive / "photos").glob("*.jpg"))
    url_of_it = f"data:image/jpeg;base64,{base64.b64encode(photo.read_bytes()).decode()}"
    with serving(container) as url, _client(url) as client:
        for text in ("", "Where is this?"):
            messages = _shows(url_of_it, text=text)
            message = client.chat.completions.create(model="afterimage/default", messages=messages).choices[0].message
            cited = message.sentences[0]["citations"][0]  # type: ignore[attr-defined]  # beyond OpenAI's shape
            assert cited["name"] == f"photos/{photo.name}"


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        (_shows("https://example.org/a.jpg"), "nothing is fetched"),
        (_shows("file:///etc/passwd"), "nothing is fetched"),
        (_shows("data:image/png;base64,???"), "no base64"),
        (_shows(*[PIXEL] * 9), "over the limit of 8"),
        (_shows(PIXEL), "is not a picture of a known format"),
        ([{"role": "assistant", "content": "Aye."}], "there is none of the user"),
        ([], "at least 1 item"),
        ([{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}], "input_audio"),
        (_said("  "), "the question is empty"),
        (_said("long " * 500), "over the limit of 2000"),
    ],
)
def test_what_cannot_be_asked_is_a_bad_request(chat: openai.OpenAI, messages: Any, why: str) -> None:  # noqa: ANN401
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match=why) as refused:
            chat.chat.completions.create(model=MODEL, messages=messages, stream=stream)
        assert refused.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    "wish",
    [
        {"n": 2},
        {"tools": [{"type": "function", "function": {"name": "sail"}}]},
        {"logprobs": True},
        {"response_format": {"type": "json_object"}},
        {"modalities": ["audio"]},
    ],
)
def test_what_would_make_another_answer_is_refused_with_the_field_named(
    chat: openai.OpenAI, wish: dict[str, Any]
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        chat.chat.completions.create(model=MODEL, messages=_said(ABOUT_ROPE), **wish)
    assert refused.value.param is not None and refused.value.param.startswith(next(iter(wish)))


def test_a_key_asks_the_collections_it_sees_and_no_others(plain_home_copy: Container) -> None:
    container = plain_home_copy
    shore = container.api_keys.create("shore", {Scope.READ}, {SHORE})[1]
    writer = container.api_keys.create("writer", {Scope.WRITE}, None)[1]
    with serving(container, open_to_all=False) as url:
        with _client(url, shore) as client:
            assert [model.id for model in client.models.list()] == [SEA]
            words = set()
            for model in (MODEL, "afterimage/nowhere", "gpt-4o"):
                for ask in (
                    lambda model=model: client.chat.completions.create(model=model, messages=_said(ABOUT_ROPE)),
                    lambda model=model: client.models.retrieve(model),
                ):
                    with pytest.raises(openai.NotFoundError) as refused:
                        ask()
                    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
                    words.add(str(refused.value.body).replace(model, "?"))
            assert len(words) == 1
            gulls = client.chat.completions.create(model=SEA, messages=_said(ABOUT_GULLS)).choices[0].message.content
            assert gulls == GULLS
        for key, kind, code in (
            ("ai_0123456789ab_x", openai.AuthenticationError, "invalid_api_key"),
            ("none", openai.AuthenticationError, "invalid_api_key"),
            (writer, openai.PermissionDeniedError, "insufficient_permissions"),
        ):
            with _client(url, key) as client, pytest.raises(kind) as refused:
                client.chat.completions.create(model=SEA, messages=_said(ABOUT_GULLS))
            assert refused.value.code == code


def test_a_stream_that_breaks_off_is_an_error_of_the_client(plain_home: Path) -> None:
    with _behind(plain_home, pieces=["Seventeen gulls [F1]. And", " more"], fault="death") as (client, _):
        heard = []
        with pytest.raises(openai.APIError, match="the server's log has more"):
            for chunk in client.chat.completions.create(model=SEA, messages=_said(ABOUT_GULLS), stream=True):
                heard.append(chunk.choices[0].delta.content)  # noqa: PERF401 - what came before the error counts
        assert heard == ["", "Seventeen gulls."]


def test_a_server_that_fails_before_its_first_word_is_an_error_of_the_client(plain_home: Path) -> None:
    with _behind(plain_home, status=500) as (client, _), pytest.raises(openai.InternalServerError) as refused:
        client.chat.completions.create(model=SEA, messages=_said(ABOUT_GULLS))
    assert refused.value.status_code == 503 and refused.value.type == "server_error"


def test_a_client_that_goes_away_stops_the_model_in_mid_sentence(plain_home: Path) -> None:
    with _behind(plain_home, pieces=["It"], fault="endless") as (client, fake):
        with client.chat.completions.create(model=SEA, messages=_said(ABOUT_GULLS), stream=True) as stream:
            assert next(iter(stream)).choices[0].delta.role == "assistant"
            deadline = time.monotonic() + 60
            while not fake.requests:  # one who leaves before the model was asked leaves nothing to stop
                assert time.monotonic() < deadline
                time.sleep(0.02)
        assert fake.gone.wait(60)
