"""Ports of answer generation: generators, and verification of sentences against pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from services.generators.types import DraftSentence, Evidence


class Generator(Protocol):
    """Generates answers from evidence, sentence by sentence.

    Retrieved evidence comes first, the best first; slots of a video's memory (`M1` …) come after it, in order of time.
    Every draft quotes only evidence that was passed in.
    Errors: ModelError; GeneratorUnavailable for a server that fails; InvalidInput for a question over the budget.
    """

    @property
    def model_id(self) -> str:
        """Identifier of the model and its weights."""
        ...

    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
        """Yield the sentences of the answer as they are complete; none where the evidence does not hold an answer."""
        ...

    def describe(self, evidence: Sequence[Evidence], max_words: int) -> Iterator[DraftSentence]:
        """Yield sentences that describe the evidence, in about `max_words` words at most."""
        ...


class VisualVerifier(Protocol):
    """Verifies sentences against pictures. Errors: as those of `Generator`."""

    def entailment_scores(self, sentence: str, evidence: Sequence[Evidence]) -> Sequence[float | None]:
        """Return for each piece of evidence the probability that its picture shows what the sentence says.

        None where the model does not say: a verdict on it alone is unclear.
        """
        ...


class JsonWriter(Protocol):
    """Puts answers into JSON. Errors: as those of `Generator`."""

    def write_json(self, question: str, answer: str, response_format: Mapping[str, object]) -> str:
        """Return an answer as JSON of a `response_format` of OpenAI's API, with what the answer says and no more."""
        ...
