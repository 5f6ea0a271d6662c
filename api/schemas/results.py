"""JSON shapes of results, for the command line, HTTP and MCP."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from indexer.text.passage import list_context
from indexer.types import Box
from memory.store import StoredMemory
from memory.types import Node
from services.access.api_keys import ApiKey
from services.answering.types import Answer, Citation, Sentence
from services.catalog.stated_metadata import StatedMetadata
from services.catalog.types import Asset
from services.search.types import Moment
from services.summaries.types import Statement, Summary


class Shape(BaseModel):
    """Base of JSON shapes: frozen, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HitShape(Shape):
    """A moment, page or image that a search found.

    `origin`: what was read: `picture`, `page` (the text of a document), `ocr`, `subtitle` or `speech`; `modality`:
    `seen`, `written` or `spoken`. `context`: title and headings above `text`, the nearest last. `lanes`: the
    calibrated score of each lane that found it. `gone`: the file of the asset is no longer there.
    """

    asset: str
    name: str
    kind: str
    start_s: float | None
    end_s: float | None
    page: int | None
    box: list[float] | None
    origin: str
    modality: str
    text: str
    score: float
    lanes: dict[str, float]
    context: list[str] = []
    gone: bool = False

    @classmethod
    def of(cls, moment: Moment) -> HitShape:
        """Build the shape of a moment."""
        return cls(
            asset=moment.asset.asset_id,
            name=moment.asset.name,
            kind=moment.asset.kind.value,
            start_s=_round_time(moment.start_s),
            end_s=_round_time(moment.end_s),
            page=moment.best_segment.page,
            box=_round_box(moment.best_segment.box),
            origin=moment.best_segment.origin.value,
            modality=moment.best_segment.origin.modality.value,
            text=moment.best_segment.text,
            score=round(moment.score, 4),
            lanes={lane.value: round(score, 4) for lane, score in moment.lane_scores.items()},
            context=list_context(moment.best_segment),
            gone=moment.asset.missing_since is not None,
        )


class SearchShape(Shape):
    """Result of a search; nothing found is an empty list."""

    hits: list[HitShape]


class CitationShape(Shape):
    """Citation of a sentence: the place that it can be checked against.

    `origin`, `modality`, `context` and `gone` are as in a hit.
    """

    id: str
    asset: str
    name: str
    kind: str
    start_s: float | None
    end_s: float | None
    page: int | None
    box: list[float] | None
    origin: str
    modality: str
    quote: str
    context: list[str] = []
    gone: bool = False

    @classmethod
    def of(cls, citation: Citation) -> CitationShape:
        """Build the shape of a citation."""
        retrieved = citation.evidence.result
        return cls(
            id=citation.evidence.id,
            asset=retrieved.asset.asset_id,
            name=retrieved.asset.name,
            kind=retrieved.asset.kind.value,
            start_s=_round_time(retrieved.segment.start_s),
            end_s=_round_time(retrieved.segment.end_s),
            page=retrieved.segment.page,
            box=_round_box(citation.box),
            origin=retrieved.segment.origin.value,
            modality=retrieved.segment.origin.modality.value,
            quote=citation.quote,
            context=list_context(retrieved.segment),
            gone=retrieved.asset.missing_since is not None,
        )


class SentenceShape(Shape):
    """Sentence of an answer, with its verdict and citations."""

    text: str
    verdict: str
    score: float
    citations: list[CitationShape]

    @classmethod
    def of(cls, sentence: Sentence) -> SentenceShape:
        """Build the shape of a sentence."""
        return cls(
            text=sentence.text,
            verdict=sentence.verification.verdict.value,
            score=round(sentence.verification.score, 4),
            citations=[CitationShape.of(citation) for citation in sentence.citations],
        )


class AnswerShape(Shape):
    """An answer; `abstained`: nothing in the archive answers the question."""

    answer: str
    abstained: bool
    sentences: list[SentenceShape]

    @classmethod
    def of(cls, answer: Answer) -> AnswerShape:
        """Build the shape of an answer."""
        sentences = [SentenceShape.of(sentence) for sentence in answer.sentences]
        return cls(answer=answer.text, abstained=answer.abstained, sentences=sentences)


class NodeShape(Shape):
    """Node of a video's memory: its span, the number of frames it stands for, the time of its medoid frame."""

    start_s: float
    end_s: float
    frames: int
    medoid_s: float

    @classmethod
    def of(cls, node: Node) -> NodeShape:
        """Build the shape of a node of a memory."""
        return cls(
            start_s=round(node.start_s, 3),
            end_s=round(node.end_s, 3),
            frames=node.weight,
            medoid_s=round(node.medoid_s, 3),
        )


class SlotShape(NodeShape):
    """Slot of a video's memory, and the two nodes that it was merged from (none for a single frame)."""

    children: list[NodeShape]

    @classmethod
    def from_tree(cls, node: Node, tree: Mapping[int, Node]) -> SlotShape:
        """Build the shape of a slot; `tree` has the nodes of its lane by number."""
        children = [NodeShape.of(tree[child]) for child in node.children or ()]
        return cls(**NodeShape.of(node).model_dump(), children=children)


MemoryShape = dict[str, list[SlotShape]]
"""Slots by lane, in order of time."""


def build_memory_shape(memory: StoredMemory, trees: Mapping[str, Mapping[int, Node]]) -> MemoryShape:
    """Build the shape of a memory; `trees` has the merge tree of each lane."""
    lanes = memory.lanes.items()
    return {name: [SlotShape.from_tree(slot.node, trees[name]) for slot in slots] for name, slots in lanes}


class AssetShape(Shape):
    """An asset in short; `gone`: none of its files is there any more."""

    asset: str
    name: str
    kind: str
    duration_s: float | None
    pages: int | None
    width: int | None
    height: int | None
    segments: int
    sampled_fps: float | None
    warnings: list[str]
    gone: bool = False

    @classmethod
    def of(cls, asset: Asset) -> AssetShape:
        """Build the shape of an asset."""
        return cls(
            asset=asset.asset_id,
            name=asset.name,
            kind=asset.kind.value,
            duration_s=_round_time(asset.duration_s),
            pages=asset.pages,
            width=asset.width,
            height=asset.height,
            segments=asset.segments,
            sampled_fps=asset.sampled_fps,
            warnings=list(asset.warnings),
            gone=asset.missing_since is not None,
        )


class AssetWithMemory(AssetShape):
    """An asset with the memory of a video, null for other kinds. `file_time` is its date (Unix time) and `date_source`
    the field of the file that says so, `metadata` what the file says about itself, a line for each kind of text."""

    memory: MemoryShape | None
    file_time: float | None
    date_source: str
    metadata: list[str]

    @classmethod
    def with_memory(cls, asset: Asset, memory: MemoryShape | None, stated: StatedMetadata) -> AssetWithMemory:
        """Build the shape of an asset with its memory and what its file states."""
        return cls(
            **AssetShape.of(asset).model_dump(),
            memory=memory,
            file_time=asset.file_time,
            date_source=stated.date_source,
            metadata=list(stated.lines),
        )


class StatementShape(Shape):
    """Sentence of a summary, and the span that it cites."""

    text: str
    verdict: str
    start_s: float
    end_s: float

    @classmethod
    def of(cls, statement: Statement) -> StatementShape:
        """Build the shape of a statement."""
        span = {"start_s": round(statement.start_s, 3), "end_s": round(statement.end_s, 3)}
        return cls(text=statement.text, verdict=statement.verdict.value, **span)


class ChapterShape(Shape):
    """Chapter of a video: its span `[start_s, end_s)` and the sentences on it."""

    title: str
    start_s: float
    end_s: float
    sentences: list[StatementShape]


class SummaryShape(Shape):
    """Summary of a video."""

    asset: str
    name: str
    sentences: list[StatementShape]
    chapters: list[ChapterShape]

    @classmethod
    def of(cls, asset: Asset, summary: Summary) -> SummaryShape:
        """Build the shape of a summary."""
        return cls(
            asset=asset.asset_id,
            name=asset.name,
            sentences=[StatementShape.of(statement) for statement in summary.statements],
            chapters=[
                ChapterShape(
                    title=chapter.title,
                    start_s=round(chapter.start_s, 3),
                    end_s=round(chapter.end_s, 3),
                    sentences=[StatementShape.of(statement) for statement in chapter.statements],
                )
                for chapter in summary.chapters
            ],
        )


def _round_box(box: Box | None) -> list[float] | None:
    return None if box is None else [round(edge, 4) for edge in (box.x0, box.y0, box.x1, box.y1)]


def _round_time(time_s: float | None) -> float | None:
    return None if time_s is None else round(time_s, 3)


class KeyShape(Shape):
    """An API key without its secret. Times are Unix times; `collections` null stands for all."""

    id: str
    name: str
    scopes: list[str]
    collections: list[str] | None
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None
    requests_per_minute: int | None

    @classmethod
    def of(cls, key: ApiKey) -> KeyShape:
        """Build the shape of a key."""
        return cls(
            id=key.id,
            name=key.name,
            scopes=sorted(key.scopes),
            collections=None if key.collections is None else sorted(key.collections),
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            last_used_at=key.last_used_at,
            requests_per_minute=key.requests_per_minute,
        )
