"""The values of the services: queries, what was found, evidence, answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from indexer.types import Box, Lane, Pixels, Segment
from memory.types import Tokens
from services.catalog.catalog import Asset


class Verdict(StrEnum):
    """Whether the evidence carries a sentence."""

    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: words, a picture, or both."""

    text: str = ""
    picture: Pixels | None = None


@dataclass(frozen=True, slots=True)
class RetrievedSegment:
    """A segment that survived the cut of at least one lane.

    `lanes` holds the calibrated score of each lane that found it, `score` the best of them; both in (0.5, 1), where
    0.5 is what the best of the unrelated queries reach. `rank` is the fused reciprocal rank that orders results.
    """

    asset: Asset
    segment: Segment
    score: float
    lane_scores: dict[Lane, float]
    rrf_score: float


@dataclass(frozen=True, slots=True)
class Moment:
    """What a search gives: a span of a video, a page, or a picture, with the best segment found there."""

    asset: Asset
    best_segment: Segment
    start_s: float | None
    end_s: float | None
    score: float
    lane_scores: dict[Lane, float]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of the material an answer is made from. Ids: `F7` (video), `P2` (page), `I3` (image), `M4` (a slot of a
    video's memory: its span and its medoid picture, and its visual tokens where a generator made them)."""

    id: str
    result: RetrievedSegment
    visual_tokens: Tokens | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """What a draft sentence points to: characters `[start, end)` of the text of a piece of evidence, or (0, 0) for
    the picture itself."""

    evidence_id: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class DraftSentence:
    """A sentence as a generator says it, not yet verified. `score` is the generator's own, in [0, 1]."""

    text: str
    quotes: tuple[Quote, ...]
    score: float


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
