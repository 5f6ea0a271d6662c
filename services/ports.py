"""What the services need from models that answer; adapters are in `services/generators` and `services/verifiers`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from services.types import Draft, Evidence, Judgement


class Generator(Protocol):
    """Says what the evidence says about a question, sentence by sentence; nothing where it says nothing.

    Every draft quotes evidence that it was given. Evidence comes best first.
    """

    @property
    def model_id(self) -> str: ...
    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[Draft]: ...


class Verifier(Protocol):
    """Judges whether the evidence that a sentence quotes carries it."""

    def verify(self, draft: Draft, evidence: Sequence[Evidence]) -> Judgement: ...
