"""The chat routes with OpenAI's official client, against a live server: whole and as a stream, in both its worlds."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from services.access.api_keys import Scope
from services.answering.abstention import NOTHING_FOUND
from services.container import Container
from services.wiring.models import Models
from tests.support.containers import MakeContainer
from tests.support.fake_vllm import FakeVllm, run_fake_vllm
from tests.support.live_server import live_server
from tests.support.small_archive import (
    GULLS_QUERY,
    GULLS_SENTENCE,
    HARBOUR,
    ROPE_QUERY,
    ROPE_SENTENCE,
    SHORE,
    open_small_archive,
)
from tests.support.waiting import TIMEOUT_S, wait_for

HARBOUR_MODEL, SHORE_MODEL = f"afterimage/{HARBOUR}", f"afterimage/{SHORE}"
SAIL: Any = [{"type": "function", "function": {"name": "sail", "parameters": {}}}]
BROKEN_IMAGE_URL = "data:image/png;base64," + base64.b64encode(b"\x89PNG no picture").decode()


def _openai_client(url: str, key: str = "none") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=TIMEOUT_S)


def _conversation(*questions: str) -> list[ChatCompletionMessageParam]:
    """A conversation: what the user said, with answers in between."""
    messages: list[ChatCompletionMessageParam] = [{"role": "system", "content": "Speak like a sailor."}]
    for question in questions[:-1]:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": "Aye."}]
    return [*messages, {"role": "user", "content": questions[-1]}]


def _image_message(*urls: str, text: str = "") -> list[ChatCompletionMessageParam]:
    parts: list[Any] = [{"type": "image_url", "image_url": {"url": url, "detail": "low"}} for url in urls]
    return [{"role": "user", "content": [*parts, {"type": "text", "text": text}]}]


@dataclass
class StreamedAnswer:
    """What the chunks of a stream say together."""

    roles: list[str] = field(default_factory=list)
    text: str = ""
    annotations: list[dict[str, Any]] = field(default_factory=list)
    sentences: list[dict[str, Any]] = field(default_factory=list)
    finish_reasons: list[str] = field(default_factory=list)
    usage: list[int] = field(default_factory=list)

    def add_chunk(self, chunk: ChatCompletionChunk) -> None:
        assert (
            chunk.object == "chat.completion.chunk"
            and chunk.id.startswith("chatcmpl-")
            and chunk.model == HARBOUR_MODEL
        )
        if chunk.usage is not None:
            assert chunk.choices == []
            self.usage.append(chunk.usage.total_tokens)
            return
        (choice,) = chunk.choices
        self.roles += [choice.delta.role] if choice.delta.role else []
        self.text += choice.delta.content or ""
        self.annotations += getattr(choice.delta, "annotations", [])
        self.sentences += getattr(choice.delta, "sentences", [])
        self.finish_reasons += [choice.finish_reason] if choice.finish_reason else []


@pytest.fixture
def chat_client(read_only_client: httpx2.Client) -> Iterator[openai.OpenAI]:
    """The client of an open server, which takes any key that is not of the archive."""
    with _openai_client(str(read_only_client.base_url)) as client:
        yield client


@contextmanager
def _server_with_model(home: Path, **fake: object) -> Iterator[tuple[openai.OpenAI, FakeVllm]]:
    """A server whose answers come from a model behind another server, which fails as it is told."""
    with (
        run_fake_vllm(**fake) as model,
        closing(open_small_archive(home, **model.generator_settings)) as container,
        live_server(container) as url,
        _openai_client(url) as client,
    ):
        yield client, model


def test_an_answer_has_its_words_citations_and_usage(chat_client: openai.OpenAI) -> None:
    answer = chat_client.chat.completions.create(
        model=HARBOUR_MODEL, messages=_conversation(ROPE_QUERY), temperature=0.2, max_tokens=5, tools=SAIL
    )
    (choice,) = answer.choices
    assert (answer.object, answer.model, choice.finish_reason) == ("chat.completion", HARBOUR_MODEL, "stop")
    assert (choice.message.role, choice.message.content) == ("assistant", ROPE_SENTENCE)
    (sentence,) = choice.message.sentences  # type: ignore[attr-defined]  # beyond OpenAI's shape
    assert sentence["text"] == ROPE_SENTENCE and sentence["verdict"] == "supported"
    (citation,) = sentence["citations"]
    assert (citation["name"], citation["page"], citation["quote"]) == ("prices.pdf", 2, ROPE_SENTENCE)
    (annotation,) = choice.message.annotations or ()
    source = annotation.url_citation
    assert (source.title, source.url) == ("prices.pdf page 2", f"urn:afterimage:asset:{citation['asset']}#page=2")
    assert ROPE_SENTENCE[source.start_index : source.end_index] == ROPE_SENTENCE
    usage = answer.usage
    assert usage is not None and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.completion_tokens == round(len(ROPE_SENTENCE) / 4)


def test_a_stream_says_the_same_chunk_by_chunk(chat_client: openai.OpenAI) -> None:
    whole = chat_client.chat.completions.create(model=HARBOUR_MODEL, messages=_conversation(ROPE_QUERY))
    streamed = StreamedAnswer()
    options: Any = {"include_usage": True}
    for chunk in chat_client.chat.completions.create(
        model=HARBOUR_MODEL, messages=_conversation(ROPE_QUERY), stream=True, stream_options=options
    ):
        streamed.add_chunk(chunk)
    message = whole.choices[0].message
    assert (streamed.roles, streamed.text, streamed.finish_reasons) == (["assistant"], message.content, ["stop"])
    assert streamed.sentences == message.sentences  # type: ignore[attr-defined]  # beyond OpenAI's shape
    assert streamed.annotations == [annotation.model_dump() for annotation in message.annotations or ()] != []
    assert whole.usage is not None and streamed.usage == [whole.usage.total_tokens]


def test_the_client_that_waits_for_nothing_works_too(read_only_client: httpx2.Client) -> None:
    async def talk() -> None:
        async with openai.AsyncOpenAI(
            base_url=f"{read_only_client.base_url}/v1", api_key="none", max_retries=0
        ) as client:
            whole = await client.chat.completions.create(model=HARBOUR_MODEL, messages=_conversation(ROPE_QUERY))
            streamed = StreamedAnswer()
            async for chunk in await client.chat.completions.create(
                model=HARBOUR_MODEL, messages=_conversation(ROPE_QUERY), stream=True
            ):
                streamed.add_chunk(chunk)
            assert streamed.text == whole.choices[0].message.content == ROPE_SENTENCE and streamed.usage == []

    asyncio.run(talk())


def test_a_question_without_an_answer_says_so(chat_client: openai.OpenAI) -> None:
    message = (
        chat_client.chat.completions.create(model=HARBOUR_MODEL, messages=_conversation(GULLS_QUERY)).choices[0].message
    )
    assert (message.content, message.sentences) == (NOTHING_FOUND, [])  # type: ignore[attr-defined]
    heard = StreamedAnswer()
    for chunk in chat_client.chat.completions.create(
        model=HARBOUR_MODEL, messages=_conversation(GULLS_QUERY), stream=True
    ):
        heard.add_chunk(chunk)
    assert (heard.text, heard.finish_reasons) == (NOTHING_FOUND, ["stop"])


def test_a_question_that_follows_another_leans_on_it(chat_client: openai.OpenAI) -> None:
    def answer(*questions: str) -> str | None:
        return (
            chat_client.chat.completions.create(model=HARBOUR_MODEL, messages=_conversation(*questions))
            .choices[0]
            .message.content
        )

    assert answer("Where is it?") == NOTHING_FOUND
    assert answer(ROPE_QUERY, "Where is it?") == ROPE_SENTENCE
    assert answer(ROPE_QUERY, GULLS_QUERY) == NOTHING_FOUND


def test_models_are_the_collections(chat_client: openai.OpenAI) -> None:
    assert [model.id for model in chat_client.models.list()] == [HARBOUR_MODEL, SHORE_MODEL]
    assert chat_client.models.retrieve(SHORE_MODEL).owned_by == "afterimage"


def test_a_picture_is_looked_for(make_container: MakeContainer, indexed_home: Path, archive: Path) -> None:
    container = make_container(indexed_home, generator__kind="extractive")
    photo = min((archive / "photos").glob("*.jpg"))
    url_of_it = f"data:image/jpeg;base64,{base64.b64encode(photo.read_bytes()).decode()}"
    with live_server(container) as url, _openai_client(url) as client:
        for text in ("", "Where is this?"):
            messages = _image_message(url_of_it, text=text)
            message = client.chat.completions.create(model="afterimage/default", messages=messages).choices[0].message
            cited = message.sentences[0]["citations"][0]  # type: ignore[attr-defined]  # beyond OpenAI's shape
            assert cited["name"] == f"photos/{photo.name}"


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        (_image_message("https://example.org/a.jpg"), "nothing is fetched"),
        (_image_message("file:///etc/passwd"), "nothing is fetched"),
        (_image_message("data:image/png;base64,???"), "no base64"),
        (_image_message(*[BROKEN_IMAGE_URL] * 9), "over the limit of 8"),
        (_image_message(BROKEN_IMAGE_URL), "is not a picture of a known format"),
        ([{"role": "assistant", "content": "Aye."}], "there is none with the role user"),
        ([], "at least 1 item"),
        ([{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}], "input_audio"),
        (_conversation("  "), "the question is empty"),
    ],
)
def test_what_cannot_be_asked_is_a_bad_request(chat_client: openai.OpenAI, messages: Any, why: str) -> None:  # noqa: ANN401
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match=why) as refused:
            chat_client.chat.completions.create(model=HARBOUR_MODEL, messages=messages, stream=stream)
        assert refused.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    "wish",
    [
        {"n": 2},
        {"tool_choice": "required", "tools": SAIL},
        {"tool_choice": {"type": "function", "function": {"name": "sail"}}, "tools": SAIL},
        {"function_call": {"name": "sail"}, "functions": [{"name": "sail"}]},
        {"logprobs": True},
        {"response_format": {"type": "grammar"}},
        {"modalities": ["audio"]},
    ],
)
def test_what_would_make_another_answer_is_refused_with_the_field_named(
    chat_client: openai.OpenAI, wish: dict[str, Any]
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        chat_client.chat.completions.create(model=HARBOUR_MODEL, messages=_conversation(ROPE_QUERY), **wish)
    assert refused.value.param is not None and refused.value.param.startswith(next(iter(wish)))


def test_a_key_asks_the_collections_it_sees_and_no_others(module_container: Container) -> None:
    container = module_container
    shore = container.api_keys.create("shore", {Scope.READ}, {SHORE})[1]
    writer = container.api_keys.create("writer", {Scope.WRITE}, None)[1]
    with live_server(container, allow_anonymous=False) as url:
        with _openai_client(url, shore) as client:
            assert [model.id for model in client.models.list()] == [SHORE_MODEL]
            messages = set()
            for model in (HARBOUR_MODEL, "afterimage/nowhere", "gpt-4o"):
                for ask in (
                    lambda model=model: client.chat.completions.create(model=model, messages=_conversation(ROPE_QUERY)),
                    lambda model=model: client.models.retrieve(model),
                ):
                    with pytest.raises(openai.NotFoundError) as error_info:
                        ask()
                    assert (error_info.value.code, error_info.value.param) == ("model_not_found", "model")
                    messages.add(str(error_info.value.body).replace(model, "?"))
            assert len(messages) == 1
            gulls = (
                client.chat.completions.create(model=SHORE_MODEL, messages=_conversation(GULLS_QUERY))
                .choices[0]
                .message.content
            )
            assert gulls == GULLS_SENTENCE
        for key, kind, code in (
            ("ai_0123456789ab_x", openai.AuthenticationError, "invalid_api_key"),
            ("none", openai.AuthenticationError, "invalid_api_key"),
            (writer, openai.PermissionDeniedError, "insufficient_permissions"),
        ):
            with _openai_client(url, key) as client, pytest.raises(kind) as error_info:
                client.chat.completions.create(model=SHORE_MODEL, messages=_conversation(GULLS_QUERY))
            assert error_info.value.code == code


def test_a_stream_that_breaks_off_is_an_error_of_the_client(small_home: Path) -> None:
    with _server_with_model(small_home, chunks=["Seventeen gulls [F1]. And", " more"], fault="death") as (client, _):
        heard = []
        with pytest.raises(openai.APIError, match="the server's log has more"):
            for chunk in client.chat.completions.create(
                model=SHORE_MODEL, messages=_conversation(GULLS_QUERY), stream=True
            ):
                heard.append(chunk.choices[0].delta.content)  # noqa: PERF401 - what came before the error counts
        assert heard == ["", "Seventeen gulls."]


def test_a_server_that_fails_before_its_first_word_is_an_error_of_the_client(small_home: Path) -> None:
    with (
        _server_with_model(small_home, status=500) as (client, _),
        pytest.raises(openai.InternalServerError) as refused,
    ):
        client.chat.completions.create(model=SHORE_MODEL, messages=_conversation(GULLS_QUERY))
    assert refused.value.status_code == 503 and refused.value.type == "server_error"


def test_a_client_that_goes_away_stops_the_model_in_mid_sentence(small_home: Path) -> None:
    with _server_with_model(small_home, chunks=["It"], fault="slow") as (client, fake):
        with client.chat.completions.create(
            model=SHORE_MODEL, messages=_conversation(GULLS_QUERY), stream=True
        ) as stream:
            assert next(iter(stream)).choices[0].delta.role == "assistant"
            wait_for(fake.streaming, "the answer is streamed")
            assert not fake.client_gone.is_set(), "nothing but the client's leaving ends it"
        wait_for(fake.client_gone, "the request to the model is ended")


def test_a_long_message_is_answered_by_the_question_in_it(chat_client: openai.OpenAI) -> None:
    pasted = "Somebody wrote to us about the weather on the island last winter. " * 80
    for message in (f"{pasted}{ROPE_QUERY}", f"{ROPE_QUERY} {pasted}", "rope " * 500):
        answer = chat_client.chat.completions.create(model=HARBOUR_MODEL, messages=_conversation(message))
        assert ROPE_SENTENCE in (answer.choices[0].message.content or "")


ANIMALS: Any = {
    "type": "json_schema",
    "json_schema": {"name": "animals", "schema": {"type": "object", "properties": {"animals": {"type": "array"}}}},
}


def test_an_answer_comes_as_the_json_that_was_asked_for(small_home: Path) -> None:
    """The server is given the schema and the verified answer; citations stay beside the JSON."""
    with _server_with_model(small_home) as (client, model):
        whole = client.chat.completions.create(
            model=HARBOUR_MODEL, messages=_conversation(ROPE_QUERY), response_format=ANIMALS
        )
        streamed = StreamedAnswer()
        for chunk in client.chat.completions.create(
            model=HARBOUR_MODEL, messages=_conversation(ROPE_QUERY), response_format=ANIMALS, stream=True
        ):
            streamed.add_chunk(chunk)
        request = model.requests[-1]
    assert whole.choices[0].message.content == streamed.text == '{"animals": ["dog", "cat"]}'
    assert whole.choices[0].message.annotations == streamed.annotations == []
    assert len(streamed.sentences) == len(whole.choices[0].message.sentences)  # type: ignore[attr-defined]
    assert request["response_format"] == ANIMALS
    (part,) = request["messages"][1]["content"]
    assert part["text"].startswith(f"Question: {ROPE_QUERY}\n\nAnswer: ")
    assert model.violations == []


def test_json_is_refused_where_no_model_can_write_it(chat_client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="response_format: JSON needs a model server"):
        chat_client.chat.completions.create(
            model=HARBOUR_MODEL, messages=_conversation(ROPE_QUERY), response_format=ANIMALS
        )


def test_json_that_the_server_does_not_finish_is_an_error(small_home: Path) -> None:
    with (
        _server_with_model(small_home, json_chunks=['{"animals": [']) as (client, _),
        pytest.raises(openai.InternalServerError, match="503"),
    ):
        client.chat.completions.create(
            model=HARBOUR_MODEL, messages=_conversation(ROPE_QUERY), response_format={"type": "json_object"}
        )


@pytest.fixture
def embedding_client(make_container: MakeContainer, tmp_path: Path) -> Iterator[openai.OpenAI]:
    """The client of a server whose text lane is on."""
    with live_server(make_container(tmp_path / "home")) as url, _openai_client(url) as client:
        yield client


def test_texts_are_embedded_as_search_embeds_them(embedding_client: openai.OpenAI, loaded_models: Models) -> None:
    """By the official client, which asks for Base64; and as numbers."""
    texts = [ROPE_QUERY, GULLS_QUERY]
    encoder = loaded_models.sentence_encoder
    assert encoder is not None
    expected = encoder.encode(texts)
    for answer in (
        embedding_client.embeddings.create(model="afterimage-text", input=texts),
        embedding_client.embeddings.create(model=encoder.model_id, input=texts, encoding_format="float"),
    ):
        np.testing.assert_allclose([one.embedding for one in answer.data], expected, atol=1e-6)
        assert [one.index for one in answer.data] == [0, 1]
        assert answer.usage.total_tokens == answer.usage.prompt_tokens > 4
    one = embedding_client.embeddings.create(model="afterimage-text", input=GULLS_QUERY).data[0].embedding
    np.testing.assert_allclose(one, expected[1], atol=1e-6)


@pytest.mark.parametrize(
    ("wish", "status", "why"),
    [
        ({"model": "afterimage/harbour"}, 404, "there is no embedding model"),
        ({"input": [[1, 2, 3]]}, 400, "input"),
        ({"input": ""}, 400, "at least 1 character"),
        ({"input": []}, 400, "at least 1 item"),
        ({"dimensions": 7}, 400, "this model's embeddings have"),
    ],
)
def test_what_cannot_be_embedded_is_refused(
    embedding_client: openai.OpenAI, wish: dict[str, Any], status: int, why: str
) -> None:
    request: dict[str, Any] = {"model": "afterimage-text", "input": "gulls"} | wish
    with pytest.raises(openai.APIStatusError, match=why) as refused:
        embedding_client.embeddings.create(**request)
    assert refused.value.status_code == status
