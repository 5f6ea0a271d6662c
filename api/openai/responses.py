"""What `/v1/chat/completions` and `/v1/models` give: OpenAI's shapes, and `sentences`, which clients that do not know
it pass over."""

from __future__ import annotations

import json
from typing import Literal

from api.schemas.results import SentenceShape, Shape


class ModelShape(Shape):
    """A model: a collection that is asked."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["afterimage"] = "afterimage"


class ModelListShape(Shape):
    """The collections that whoever asks may ask."""

    object: Literal["list"] = "list"
    data: list[ModelShape]


class TokenUsageShape(Shape):
    """What an answer took, in tokens, estimated from numbers of letters: what the generator was shown, and what it
    said."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class AnswerMessage(Shape):
    """An answer. `sentences`: the same, each sentence with its verdict, and citations with times and pages; none:
    nothing in the collection answers the question."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None
    sentences: list[SentenceShape]


class Choice(Shape):
    """The answer."""

    index: int = 0
    message: AnswerMessage
    logprobs: None = None
    finish_reason: Literal["stop"] = "stop"


class CompletionShape(Shape):
    """An answer as a whole."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: TokenUsageShape


class Delta(Shape):
    """What a chunk adds to the answer; what is left out adds nothing."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    sentences: list[SentenceShape] | None = None


class ChunkChoice(Shape):
    """A part of the answer. The last one adds nothing and has the reason of the end."""

    index: int = 0
    delta: Delta
    logprobs: None = None
    finish_reason: Literal["stop"] | None = None


class CompletionChunkShape(Shape):
    """A part of a stream."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: TokenUsageShape | None = None

    def encode(self) -> bytes:
        """As it goes over the wire: a delta without what it does not add."""
        data = self.model_dump(mode="json")
        for choice in data["choices"]:
            choice["delta"] = {name: value for name, value in choice["delta"].items() if value is not None}
        return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


class ErrorDetail(Shape):
    """What is wrong. `param`: the field that is at fault; `code`: the kind of error, for machines."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorShape(Shape):
    """An error as OpenAI's clients read it."""

    error: ErrorDetail
