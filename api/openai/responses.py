"""Response shapes of `/v1/chat/completions` and `/v1/models`: OpenAI's, and the extension `sentences`, which other
clients ignore."""

from __future__ import annotations

import json
from typing import Literal

from fastapi.sse import format_sse_event

from api.schemas.results import SentenceShape, Shape


class ModelShape(Shape):
    """A model: one collection."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["afterimage"] = "afterimage"


class ModelListShape(Shape):
    """The models that the key may use."""

    object: Literal["list"] = "list"
    data: list[ModelShape]


class TokenUsageShape(Shape):
    """Tokens of the prompt and of the answer, estimated from their numbers of characters."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class UrlCitation(Shape):
    """A cited page, time or picture, which `url` identifies and `title` names, and the characters that it proves."""

    start_index: int
    end_index: int
    title: str
    url: str


class Annotation(Shape):
    """Source of a part of an answer."""

    type: Literal["url_citation"] = "url_citation"
    url_citation: UrlCitation


class AnswerMessage(Shape):
    """An answer. `sentences` has its sentences with verdicts, and citations with times and pages; empty where nothing
    in the collection answers the question. `annotations` are these citations in OpenAI's form; empty beside JSON."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None
    annotations: list[Annotation]
    sentences: list[SentenceShape]


class Choice(Shape):
    """The one choice of a completion."""

    index: int = 0
    message: AnswerMessage
    logprobs: None = None
    finish_reason: Literal["stop"] = "stop"


class CompletionShape(Shape):
    """A completion."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: TokenUsageShape


class Delta(Shape):
    """Addition of a chunk to the answer; fields that are left out add nothing."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    annotations: list[Annotation] | None = None
    sentences: list[SentenceShape] | None = None


class ChunkChoice(Shape):
    """The one choice of a chunk; that of the last chunk has an empty delta and `finish_reason`."""

    index: int = 0
    delta: Delta
    logprobs: None = None
    finish_reason: Literal["stop"] | None = None


class CompletionChunkShape(Shape):
    """A chunk of a streamed completion."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: TokenUsageShape | None = None

    def encode(self) -> bytes:
        """Encode the chunk as a server-sent event; its delta has only the fields that it adds."""
        data = self.model_dump(mode="json")
        for choice in data["choices"]:
            choice["delta"] = {name: value for name, value in choice["delta"].items() if value is not None}
        return format_sse_event(data_str=json.dumps(data, ensure_ascii=False))


class ErrorDetail(Shape):
    """Details of an error. `param`: the invalid field; `code`: the kind of error, for machines."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorShape(Shape):
    """An error in OpenAI's shape."""

    error: ErrorDetail
