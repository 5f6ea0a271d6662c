"""Chat completion of an answer, whole or in chunks."""

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
    """Answer to a question from evidence, in OpenAI's shapes; a token is estimated as `chars_per_token` characters."""

    answering: Answering
    body: ChatBody
    question: str
    evidence: Sequence[Evidence]
    chars_per_token: float
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def sentences(self) -> Iterator[Sentence]:
        """Yield the sentences of the answer as they are generated."""
        return self.answering.stream_sentences(self.question, self.evidence)

    def to_response(self, sentences: Sequence[Sentence]) -> CompletionShape:
        """Return the completion that some sentences make."""
        answer = build_answer(sentences)
        message = AnswerMessage(content=answer.text, sentences=[SentenceShape.of(sentence) for sentence in sentences])
        return CompletionShape(
            id=self.id,
            created=self.created,
            model=self.body.model,
            choices=[Choice(message=message)],
            usage=self._estimate_usage(answer.text),
        )

    def stream_chunks(self) -> Iterator[CompletionChunkShape]:
        """Yield the answer in chunks: the role, each sentence, the end, and the usage where it is requested."""
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
        prompt_chars = len(self.question) + sum(len(evidence.result.segment.text) for evidence in self.evidence)
        prompt, completion = (max(1, round(chars / self.chars_per_token)) for chars in (prompt_chars, len(text)))
        return TokenUsageShape(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)
