"""An answer in OpenAI's shapes, whole or as it is written."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from api.chat.replies import (
    AnswerMessage,
    Choice,
    ChunkChoice,
    ChunkShape,
    CompletionShape,
    Delta,
    TokensShape,
)
from api.chat.requests import ChatBody
from api.schemas import SentenceShape
from services.answering import NOTHING_FOUND, Answering, answer_of
from services.types import Evidence, Sentence


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer to a question, from evidence that is gathered. A token is estimated as `letters` letters."""

    answering: Answering
    body: ChatBody
    question: str
    evidence: Sequence[Evidence]
    letters: float
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def sentences(self) -> Iterator[Sentence]:
        """The answer as it is written."""
        return self.answering.sentences(self.question, self.evidence)

    def whole(self, sentences: Sequence[Sentence]) -> CompletionShape:
        """The whole answer."""
        answer = answer_of(sentences)
        message = AnswerMessage(content=answer.text, sentences=[SentenceShape.of(one) for one in sentences])
        return CompletionShape(
            id=self.id,
            created=self.created,
            model=self.body.model,
            choices=[Choice(message=message)],
            usage=self._usage(answer.text),
        )

    def chunks(self) -> Iterator[ChunkShape]:
        """The answer chunk by chunk: who speaks, each sentence, the end, and the usage where it was asked for."""
        yield self._chunk(Delta(role="assistant", content=""))
        said: list[str] = []
        for sentence in self.sentences():
            text = f" {sentence.text}" if said else sentence.text
            said.append(text)
            yield self._chunk(Delta(content=text, sentences=[SentenceShape.of(sentence)]))
        if not said:
            said.append(NOTHING_FOUND)
            yield self._chunk(Delta(content=NOTHING_FOUND, sentences=[]))
        yield self._chunk(Delta(), end=True)
        if self.body.stream_options is not None and self.body.stream_options.include_usage:
            yield self._of([], self._usage("".join(said)))

    def _chunk(self, delta: Delta, *, end: bool = False) -> ChunkShape:
        return self._of([ChunkChoice(delta=delta, finish_reason="stop" if end else None)], None)

    def _of(self, choices: list[ChunkChoice], usage: TokensShape | None) -> ChunkShape:
        return ChunkShape(id=self.id, created=self.created, model=self.body.model, choices=choices, usage=usage)

    def _usage(self, text: str) -> TokensShape:
        shown = len(self.question) + sum(len(one.found.segment.text) for one in self.evidence)
        prompt, said = (max(1, round(count / self.letters)) for count in (shown, len(text)))
        return TokensShape(prompt_tokens=prompt, completion_tokens=said, total_tokens=prompt + said)
