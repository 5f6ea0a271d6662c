"""Ports of answering: question analysis, and verification of claims against evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from services.answering.types import Verification
from services.generators.types import DraftSentence, Evidence


class Verifier(Protocol):
    """Holds a sentence against the evidence: `attributed` gives it citations that exist, or none, `verify` judges
    whether they carry it."""

    def attribute(self, draft: DraftSentence, evidence: Sequence[Evidence]) -> DraftSentence: ...
    def verify(self, draft: DraftSentence, evidence: Sequence[Evidence]) -> Verification: ...
