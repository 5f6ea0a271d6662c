"""Ports of answering: question analysis, and verification of claims against evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from services.answering.types import QuestionAnalysis, Verification
from services.generators.types import DraftSentence, Evidence


class QuestionAnalyzer(Protocol):
    """Reads questions. Adapters say in `QuestionAnalysis.unread` what they cannot read."""

    def analyze(self, question: str) -> QuestionAnalysis:
        """Decompose a question into sub-queries, times and temporal scope."""
        ...

    def contextualize(self, questions: Sequence[str], max_chars: int) -> list[str]:
        """Return the queries to try for the last question of a conversation, first choice first; at least one.

        `questions` come oldest first. A query has at most `max_chars` characters, unless the last question has more.
        """
        ...


class ClaimVerifier(Protocol):
    """Holds sentences against evidence. Adapters say in `Verification.unread` what they cannot read.

    Errors: those of the generator that checks pictures.
    """

    def attribute(self, draft: DraftSentence, evidence: Sequence[Evidence]) -> DraftSentence:
        """Return the draft with citations that exist in the evidence, times and counts that follow from them."""
        ...

    def verify(self, draft: DraftSentence, evidence: Sequence[Evidence]) -> Verification:
        """Return the verdict on a sentence by the evidence that it cites; UNSUPPORTED where it cites none."""
        ...
