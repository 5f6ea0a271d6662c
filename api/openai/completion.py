"""An answer in OpenAI's shapes, whole or as it is written."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from api.openai.requests import ChatBody
from api.openai.responses import (
    AnswerMessage,
    Choice,
    ChunkChoice,
    CompletionChunkShape,
    CompletionShape,
    Delta,
    TokenUsageShape,
)
from api.schemas.results import SentenceShape
from services.answering.answering import NOTHING_FOUND, Answering, build_answer
from services.answering.types import Sentence
from services.generators.types import Evidence


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer to a question, from evidence that is gathered. A token is estimated as `letters` letters."""

    answering: Answering
    body: ChatBody
    question: str
    evidence: Sequence[Evidence]
    chars_per_token: float
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def sentences(self) -> Iterator[Sentence]:
        """The answer as it is written."""
        return self.answering.stream_sentences(self.question, self.evidence)

    def to_response(self, sentences: Sequence[Sentence]) -> CompletionShape:
        """The whole answer."""
        answer = build_answer(sentences)
        message = AnswerMessage(content=answer.text, sentences=[SentenceShape.of(one) for one in sentences])
        return CompletionShape(
            id=self.id,
            created=self.created,
            model=self.body.model,
            choices=[Choice(message=message)],
            usage=self._estimate_usage(answer.text),
        )

    def stream_chunks(self) -> Iterator[CompletionChunkShape]:
        """The answer chunk by chunk: who speaks, each sentence, the end, and the usage where it was asked for."""
        yield self._delta_chunk(Delta(role="assistant", content=""))
        texts: list[str] = []
        for sentence in self.sentences():
            text = f" {sentence.text}" if texts else sentence.text
            texts.append(text)
            yield self._delta_chunk(Delta(content=text, sentences=[SentenceShape.of(sentence)]))
        if not texts:
            texts.append(NOTHING_FOUND)
            yield self._delta_chunk(Delta(content=NOTHING_FOUND, sentences=[]))
        yield self._delta_chunk(Delta(), end=True)
        if self.body.stream_options is not None and self.body.stream_options.include_usage:
            yield self._make_chunk([], self._estimate_usage("".join(texts)))

    def _delta_chunk(self, delta: Delta, *, end: bool = False) -> CompletionChunkShape:
        return self._make_chunk([ChunkChoice(delta=delta, finish_reason="stop" if end else None)], None)

    def _make_chunk(self, choices: list[ChunkChoice], usage: TokenUsageShape | None) -> CompletionChunkShape:
        return CompletionChunkShape(
            id=self.id, created=self.created, model=self.body.model, choices=choices, usage=usage
        )

    def _estimate_usage(self, text: str) -> TokenUsageShape:
        shown = len(self.question) + sum(len(one.result.segment.text) for one in self.evidence)
        prompt, completion = (max(1, round(count / self.chars_per_token)) for count in (shown, len(text)))
        return TokenUsageShape(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)
