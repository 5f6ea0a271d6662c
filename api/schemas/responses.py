"""JSON shapes of HTTP responses; those shared with the command line are in `api/schemas/results.py`."""

from __future__ import annotations

from typing import Generic, TypeVar
from urllib.parse import urlencode

from api.schemas.results import AnswerShape, AssetWithMemory, CitationShape, KeyShape, Shape
from indexer.types import Segment
from services.access.media_urls import MediaSignature
from services.answering.types import Citation
from services.catalog.video_memory import StoredKeyFrame
from services.generators.types import Evidence
from services.jobs.statistics import QueueStatistics

T = TypeVar("T")


class EvidenceShape(CitationShape):
    """Evidence of an answer; `quote` is its whole text."""

    score: float

    @classmethod
    def of_evidence(cls, evidence: Evidence) -> EvidenceShape:
        """Build the shape of a piece of evidence."""
        segment = evidence.result.segment
        citation = CitationShape.of(Citation(evidence, segment.box, segment.text))
        return cls(**citation.model_dump(), score=round(evidence.result.score, 4))


class EvidenceEvent(Shape):
    """The event `evidence`, first of a stream: what was searched for, and the evidence of the answer, best first."""

    query: str
    evidence: list[EvidenceShape]


class UsageShape(Shape):
    """Usage of an answer: model, number of pieces of evidence, and seconds until they were gathered, until the first
    sentence (null: there is none) and until the end."""

    model: str
    evidence: int
    gathered_s: float
    first_sentence_s: float | None
    total_s: float


class AskResponse(AnswerShape):
    """Response of `POST /v1/ask`: the answer and its usage."""

    usage: UsageShape


class PageShape(Shape, Generic[T]):
    """Page of a list. `after` requests the next page; null: this is the last."""

    items: list[T]
    after: str | None


class CollectionShape(Shape):
    """A collection and the number of its assets."""

    name: str
    assets: int


class AssetDetail(AssetWithMemory):
    """An asset in full. `version` changes whenever its artifacts do; a picture that is requested with it never changes.
    `collections` are those that hold it."""

    version: str
    collections: list[str]
    indexed_at: float


class FrameShape(Shape):
    """A key frame of a video: the span `[start_s, end_s)` that it stands for, and the text read in it (OCR)."""

    start_s: float
    end_s: float
    text: str

    @classmethod
    def of(cls, frame: StoredKeyFrame) -> FrameShape:
        """Build the shape of a key frame."""
        return cls(start_s=round(frame.start_s, 3), end_s=round(frame.end_s, 3), text=frame.text)


class LineShape(Shape):
    """A line of a text: its characters `[start, end)`, and where it stands in the picture."""

    start: int
    end: int
    box: list[float]


class TextShape(Shape):
    """What is written or spoken at one place: a span of a video, a page, or a picture; `lines` say where on it."""

    start_s: float | None
    end_s: float | None
    page: int | None
    origin: str
    modality: str
    text: str
    lines: list[LineShape]

    @classmethod
    def of(cls, segment: Segment) -> TextShape:
        """Build the shape of a text segment."""
        return cls(
            start_s=None if segment.start_s is None else round(segment.start_s, 3),
            end_s=None if segment.end_s is None else round(segment.end_s, 3),
            page=segment.page,
            origin=segment.origin.value,
            modality=segment.origin.modality.value,
            text=segment.text,
            lines=[
                LineShape(start=line.start, end=line.end, box=[line.box.x0, line.box.y0, line.box.x1, line.box.y1])
                for line in segment.lines
            ],
        )


class SessionShape(Shape):
    """Session of a browser. `needs_key`: nothing may be read without signing in. `collections` null stands for all."""

    signed_in: bool
    needs_key: bool
    scopes: list[str]
    collections: list[str] | None


class NewKeyShape(KeyShape):
    """A new API key and its secret, which is shown this once."""

    secret: str


class QueueShape(Shape):
    """A queue of jobs: how many are due and wait, for how many seconds the oldest one, and the workers alive."""

    depth: int
    oldest_s: float
    workers: int

    @classmethod
    def of(cls, queue: QueueStatistics) -> QueueShape:
        """Build the shape of a queue's statistics."""
        return cls(depth=queue.depth, oldest_s=queue.oldest_s, workers=queue.workers)


class Readiness(Shape):
    """Readiness of a server and of each part: `ready`, `loading` or the class name of an error.

    `queues` are those of all servers that share a database; `notes` are for operators: what works less well than it
    could though requests are served.
    """

    ready: bool
    parts: dict[str, str]
    queues: dict[str, QueueShape]
    disk_free_bytes: int | None
    notes: list[str]


class SignedUrlShape(Shape):
    """Signed URLs of an asset. `query` is appended to the path of its media, a picture or a clip (after `?` or `&`);
    `media` is the whole path of the file itself. `expires_at` is a Unix time."""

    asset: str
    query: str
    media: str
    expires_at: int

    @classmethod
    def of(cls, asset_id: str, signed: MediaSignature) -> SignedUrlShape:
        """Build the shape of a signature."""
        query = urlencode({"expires": signed.expires_at, "key": signed.key_id, "signature": signed.signature})
        media = f"/v1/assets/{asset_id}/media?{query}"
        return cls(asset=asset_id, query=query, media=media, expires_at=int(signed.expires_at))
