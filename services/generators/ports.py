"""Ports that generators fill: answers from evidence, and checks of pictures against sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from services.generators.types import DraftSentence, Evidence


class Generator(Protocol):
    """Says what the evidence says about a question, sentence by sentence; nothing where it says nothing.

    Every draft quotes evidence that it was given. Evidence that was found comes best first, slots of a video's memory
    (`M1` …) after it, in order of time. `describe` says in about `words` words at most what the evidence shows.
    Errors: ModelError, GeneratorUnavailable for a server that cannot be reached or breaks off, QueryError for a
    question longer than the budget.
    """

    @property
    def model_id(self) -> str: ...
    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]: ...
    def describe(self, evidence: Sequence[Evidence], max_words: int) -> Iterator[DraftSentence]: ...


class VisualVerifier(Protocol):
    """Says of each picture how surely it shows what a sentence says: probabilities, one for each piece of evidence.

    Errors: as of `Generator`.
    """

    def entailment_scores(self, sentence: str, evidence: Sequence[Evidence]) -> list[float]: ...
