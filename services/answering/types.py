"""Values of answers: verdicts, citations, verified sentences."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from indexer.types import Box
from services.generators.types import Evidence


class TemporalScope(StrEnum):
    """How far a question reaches beyond the things that it names.

    WITHIN: not at all; BEFORE, AFTER: the time before or after them; BETWEEN: the time between two of them; ALL: the
    whole video.
    """

    WITHIN = "within"
    BEFORE = "before"
    AFTER = "after"
    BETWEEN = "between"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class QuestionAnalysis:
    """A question taken apart.

    `sub_queries` are the things it asks about, one by one (`the dog`, `the cat`), empty where they would repeat the
    question or where it asks for a time only. `timestamps_s` are the times that it names, in seconds, ascending.
    `unread` says what the analyzer could not read (empty: nothing), so that another one may be asked.
    """

    sub_queries: tuple[str, ...]
    timestamps_s: tuple[float, ...]
    temporal_scope: TemporalScope
    unread: str = ""


class Verdict(StrEnum):
    """The verdict on one sentence against its citations."""

    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of verifying one sentence: a verdict, and a score in [0, 1] of how surely the evidence supports it.

    `unread` says what the verifier could not read of the sentence or its evidence; it comes with UNCLEAR alone.
    """

    verdict: Verdict
    score: float
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Citation:
    """The place that proves a sentence: evidence, a box on its picture, the quoted text. Always inside its asset."""

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
    """Verified sentences with citations; none, and `abstained`, where the archive holds no answer."""

    text: str
    abstained: bool
    sentences: tuple[Sentence, ...]
