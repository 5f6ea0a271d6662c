"""Chat completion of an answer, whole or in chunks."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from api.openai.annotations import make_annotations
from api.openai.requests import ChatBody
from api.openai.responses import (
    Annotation,
    AnswerMessage,
    Choice,
    ChunkChoice,
    CompletionChunkShape,
    CompletionShape,
    Delta,
    TokenUsageShape,
)
from api.schemas.results import SentenceShape
from services.answering.abstention import abstain_in_language_of
from services.answering.answering import Answering, build_answer
from services.answering.types import Sentence
from services.generators.ports import JsonWriter
from services.generators.types import Evidence


@dataclass(frozen=True, slots=True)
class TokenEstimate:
    """Estimate of tokens: `chars_per_token` characters of text are one, a picture is `picture_tokens`."""

    chars_per_token: float
    picture_tokens: int

    def count_prompt(self, question: str, evidence: Sequence[Evidence]) -> int:
        """Return the tokens of a question with its evidence: its texts, names and pictures."""
        chars = len(question) + sum(len(piece.text) + len(piece.asset.name) for piece in evidence)
        pictures = sum(piece.segment.picture is not None for piece in evidence)
        return self._count_chars(chars) + pictures * self.picture_tokens

    def count_text(self, text: str) -> int:
        """Return the tokens of a text."""
        return self._count_chars(len(text))

    def _count_chars(self, chars: int) -> int:
        return max(1, round(chars / self.chars_per_token))


@dataclass(frozen=True, slots=True)
class Completion:
    """Answer to a question from evidence, in OpenAI's shapes.

    Where the request wants JSON, `json_writer` puts the answer into it once all sentences are verified.
    """

    answering: Answering
    body: ChatBody
    question: str
    evidence: Sequence[Evidence]
    estimate: TokenEstimate
    json_writer: JsonWriter | None = None
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def sentences(self) -> Iterator[Sentence]:
        """Yield the sentences of the answer as they are generated."""
        return self.answering.stream_sentences(self.question, self.evidence)

    def to_response(self, sentences: Sequence[Sentence]) -> CompletionShape:
        """Return the completion that some sentences make."""
        content = self._format(build_answer(self.question, sentences).text)
        shapes = [SentenceShape.of(sentence) for sentence in sentences]
        message = AnswerMessage(content=content, annotations=self._annotate(shapes), sentences=shapes)
        return CompletionShape(
            id=self.id,
            created=self.created,
            model=self.body.model,
            choices=[Choice(message=message)],
            usage=self._estimate_usage(content),
        )

    def stream_chunks(self) -> Iterator[CompletionChunkShape]:
        """Yield the answer in chunks: the role, each sentence, the end, and the usage where it is requested."""
        yield self._delta_chunk(Delta(role="assistant", content=""))
        content = ""
        for sentence in self.sentences():
            shape, text = SentenceShape.of(sentence), f" {sentence.text}" if content else sentence.text
            content += text
            if self.body.json_format:
                yield self._delta_chunk(Delta(sentences=[shape]))
            else:
                annotations = make_annotations(shape, len(content) - len(shape.text))
                yield self._delta_chunk(Delta(content=text, annotations=annotations, sentences=[shape]))
        if not content or self.body.json_format:
            content = self._format(content or abstain_in_language_of(self.question))
            yield self._delta_chunk(Delta(content=content, sentences=[]))
        yield self._delta_chunk(Delta(), end=True)
        if self.body.stream_options is not None and self.body.stream_options.include_usage:
            yield self._make_chunk([], self._estimate_usage(content))

    def _annotate(self, sentences: Sequence[SentenceShape]) -> list[Annotation]:
        """Return the sources of an answer; none beside JSON, whose characters are not those of the sentences."""
        if self.body.json_format is not None:
            return []
        annotations, start = [], 0
        for sentence in sentences:
            annotations += make_annotations(sentence, start)
            start += len(sentence.text) + 1
        return annotations

    def _format(self, text: str) -> str:
        """Return the answer as the request wants it. Errors: those of the writer."""
        if self.body.json_format is None:
            return text
        assert self.json_writer is not None, "refused before evidence is gathered"
        return self.json_writer.write_json(self.question, text, self.body.json_format)

    def _delta_chunk(self, delta: Delta, *, end: bool = False) -> CompletionChunkShape:
        return self._make_chunk([ChunkChoice(delta=delta, finish_reason="stop" if end else None)], None)

    def _make_chunk(self, choices: list[ChunkChoice], usage: TokenUsageShape | None) -> CompletionChunkShape:
        return CompletionChunkShape(
            id=self.id, created=self.created, model=self.body.model, choices=choices, usage=usage
        )

    def _estimate_usage(self, text: str) -> TokenUsageShape:
        prompt, completion = self.estimate.count_prompt(self.question, self.evidence), self.estimate.count_text(text)
        return TokenUsageShape(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)
