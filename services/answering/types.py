"""Values of answers: verdicts, citations, verified sentences."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from indexer.types import Box
from services.generators.types import Evidence


class Verdict(StrEnum):
    """Whether the evidence carries a sentence."""

    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Verification:
    """A verifier's word on one sentence; `score` in [0, 1], how surely the evidence carries it."""

    verdict: Verdict
    score: float


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a sentence of an answer can be checked. Always inside its asset."""

    evidence: Evidence
    box: Box | None
    quote: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A verified sentence of an answer."""

    text: str
    verification: Verification
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question gets: sentences with citations; none, where nothing was found."""

    text: str
    abstained: bool
    sentences: tuple[Sentence, ...]
