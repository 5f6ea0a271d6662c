"""The JSON shapes that only the server gives; those that it shares with the command line are in `schemas.py`."""

from __future__ import annotations

from typing import Generic, TypeVar

from api.schemas.results import AnswerShape, AssetWithMemory, CitationShape, KeyShape, Shape
from services.answering.types import Citation
from services.catalog.video_memory import StoredKeyFrame
from services.generators.types import Evidence

T = TypeVar("T")


class EvidenceShape(CitationShape):
    """A piece of evidence that an answer is made from; `quote` is its whole text."""

    score: float

    @classmethod
    def of_evidence(cls, evidence: Evidence) -> EvidenceShape:
        segment = evidence.result.segment
        citation = CitationShape.of(Citation(evidence, segment.box, segment.text))
        return cls(**citation.model_dump(), score=round(evidence.result.score, 4))


class EvidenceEvent(Shape):
    """The event `evidence`, first of all: what the answer is made from, best first."""

    evidence: list[EvidenceShape]


class UsageShape(Shape):
    """What an answer took: the model that wrote it, pieces of evidence, seconds to gather them, to the first sentence
    (null: there is none) and to the end."""

    model: str
    evidence: int
    gathered_s: float
    first_sentence_s: float | None
    total_s: float


class AskResponse(AnswerShape):
    """What `POST /v1/ask` gives: the answer, and what it took."""

    usage: UsageShape


class PageShape(Shape, Generic[T]):
    """A part of a list. `after` asks for the part that follows; null: this was the last."""

    items: list[T]
    after: str | None


class CollectionShape(Shape):
    """A collection, and how many assets it holds."""

    name: str
    assets: int


class AssetDetail(AssetWithMemory):
    """All that is known of an asset. `version` changes whenever what was computed of it does; pictures that are asked
    for with it never change. `collections` are those that hold it."""

    version: str
    collections: list[str]
    indexed_at: float
    file_time: float | None


class FrameShape(Shape):
    """A key frame of a video: the time `[start_s, end_s)` that it stands for, and the words that were read in it."""

    start_s: float
    end_s: float
    text: str

    @classmethod
    def of(cls, frame: StoredKeyFrame) -> FrameShape:
        return cls(start_s=round(frame.start_s, 3), end_s=round(frame.end_s, 3), text=frame.text)


class NewKeyShape(KeyShape):
    """A key that was made, and its secret, which is shown this once."""

    secret: str


class Readiness(Shape):
    """Whether the server can do its work, part by part: `ready`, or what is wrong."""

    ready: bool
    parts: dict[str, str]
