"""Context strategies: ways to show a long video to a model within one token budget, for comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.memory_baselines.baselines import Fifo
from benchmarks.memory_baselines.malmm import MaLmm
from benchmarks.memory_baselines.policy import MemoryPolicy
from demoworld.world.questions import Question, Span
from demoworld.world.truth import VideoTruth
from indexer.media.jpeg import decode_jpeg
from indexer.types import Origin, Pixels, Segment, SegmentFilter
from memory.frame_selection import FRAME_SELECTORS
from memory.types import Node, Slot
from services.answering.answering import Answering
from services.answering.evidence import number_evidence
from services.answering.types import TemporalScope
from services.answering.video_context import VideoContext
from services.catalog.types import Asset
from services.container import Container
from services.generators.prompts import MEMORY_ID_PREFIX
from services.generators.types import Evidence
from services.search.types import RetrievedSegment

SLOT_COUNT = 96
_MAX_FRAMES = 400

ContextStrategy = Callable[[Container, Asset], Answering]


@dataclass(frozen=True, slots=True)
class FixedEvidenceAnswering(Answering):
    """Answers every question from the same evidence."""

    fixed_evidence: tuple[Evidence, ...] = ()

    def gather_evidence(self, question: str, filters: SegmentFilter, pictures: Sequence[Pixels] = ()) -> list[Evidence]:
        """Return the fixed evidence."""
        return list(self.fixed_evidence)


def with_uniform_frames(container: Container, asset: Asset) -> Answering:
    """Show as many evenly spread frames as the budget holds."""
    frames = container.video_memory.key_frames(asset)
    count = min(len(frames), container.settings.generator.max_prompt_tokens // _TOKENS_PER_FRAME, _MAX_FRAMES)
    chosen = [frames[round(place)] for place in np.linspace(0, len(frames) - 1, count)]
    segments = [
        RetrievedSegment(
            asset, Segment(-1, Origin.PICTURE, frame.start_s, frame.end_s, picture=frame.picture), 1.0, {}, 0.0
        )
        for frame in chosen
    ]
    return _answer_from(container, number_evidence(segments))


def with_fifo(container: Container, asset: Asset) -> Answering:
    """Show the newest frames as memory slots."""
    return _answer_from(container, _compress_frames(container, asset, Fifo(SLOT_COUNT)))


def with_malmm(container: Container, asset: Asset) -> Answering:
    """Show the slots of MA-LMM's memory."""
    encoder = container.generation.onevision.create_token_encoder()
    return _answer_from(
        container, _compress_frames(container, asset, MaLmm(SLOT_COUNT, encoder.positions, encoder.width))
    )


def with_memory_bank(container: Container, asset: Asset) -> Answering:
    """Show the two-lane memory bank alone."""
    assert container.answering.video_context is not None
    return _answer_from(container, container.answering.video_context.memory_evidence(asset, SegmentFilter()))


def with_retrieval(container: Container, _: Asset) -> Answering:
    """Show search results alone; times in the question are looked up, as search by time does."""
    default = container.answering.video_context
    assert default is not None
    search_only = _SearchOnlyContext(
        default.video_memory, default.catalog, default.max_frames, default.frame_chooser, default.accepts_tokens_of
    )
    return replace(container.answering, video_context=search_only)


def with_memory_and_retrieval(container: Container, _: Asset) -> Answering:
    """Show what the services show by default."""
    return container.answering


def with_frame_selection(name: str) -> ContextStrategy:
    """Show memory and search results with another frame selection."""

    def select_frames(container: Container, _: Asset) -> Answering:
        assert container.answering.video_context is not None
        return replace(
            container.answering,
            video_context=replace(container.answering.video_context, frame_chooser=FRAME_SELECTORS[name]),
        )

    return select_frames


CONTEXT_STRATEGIES: dict[str, ContextStrategy] = {
    "uniform frames": with_uniform_frames,
    "fifo": with_fifo,
    "malmm": with_malmm,
    "two-lane bank": with_memory_bank,
    "retrieval": with_retrieval,
    "bank + retrieval": with_memory_and_retrieval,
    "bank + retrieval, bolt": with_frame_selection("bolt"),
}
_TOKENS_PER_FRAME, _DISTRACTOR_COUNT = 27, 6


@dataclass(frozen=True, slots=True)
class OracleAnswering(Answering):
    """Answers from oracle evidence: the spans of the truth and nothing else.

    Where a question has none, a few moments of other things are shown.
    """

    asset: Asset | None = None
    spans_by_question: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    distractors: tuple[Span, ...] = ()

    def gather_evidence(self, question: str, filters: SegmentFilter, pictures: Sequence[Pixels] = ()) -> list[Evidence]:
        """Return a frame of each span that proves the answer, else distractors."""
        assert self.asset is not None and self.video_context is not None
        rng = np.random.default_rng(len(question))
        distractors = [self.distractors[place] for place in rng.permutation(len(self.distractors))[:_DISTRACTOR_COUNT]]
        spans = self.spans_by_question.get(question) or distractors
        return number_evidence([_segment_of_span(self.video_context, self.asset, span) for span in spans])


def with_oracle_retrieval(
    container: Container, asset: Asset, truth: VideoTruth, questions: Sequence[Question]
) -> Answering:
    """Show the truth's own moments: what is lost then is lost by the model, not by search."""
    default = container.answering
    return OracleAnswering(
        default.retrieval,
        default.analyzer,
        default.generator,
        default.verifier,
        default.answer_finder,
        default.video_context,
        default.settings,
        asset,
        {question.text: question.spans for question in questions},
        tuple((event.start_s, event.end_s) for event in truth.events),
    )


def is_evidence_sufficient(question: Question, evidence: Sequence[Evidence]) -> bool:
    """Return whether the evidence holds a frame of each span that proves the answer."""
    segments = [item.result.segment for item in evidence if not item.id.startswith(MEMORY_ID_PREFIX)]
    return all(
        any((segment.start_s or 0.0) < end and (segment.end_s or 0.0) > start for segment in segments)
        for start, end in question.spans
    )


def _segment_of_span(video_context: VideoContext, asset: Asset, span: Span) -> RetrievedSegment:
    picture = video_context.video_memory.key_frame_at(asset, sum(span) / 2).picture
    return RetrievedSegment(asset, Segment(-1, Origin.PICTURE, *span, picture=picture), 0.9, {}, 0.0)


class _SearchOnlyContext(VideoContext):
    """No memory, and no frames besides search results and times in the question."""

    def memory_evidence(self, asset: Asset, filters: SegmentFilter) -> list[Evidence]:
        """Return nothing."""
        return []

    def frames_for_scope(
        self,
        asset: Asset,
        scope: TemporalScope,
        anchors: Sequence[RetrievedSegment],
        segments: Sequence[RetrievedSegment],
    ) -> list[RetrievedSegment]:
        """Return nothing."""
        return []


def _answer_from(container: Container, evidence: Sequence[Evidence]) -> Answering:
    default = container.answering
    return FixedEvidenceAnswering(
        default.retrieval,
        default.analyzer,
        default.generator,
        default.verifier,
        default.answer_finder,
        None,
        default.settings,
        tuple(evidence),
    )


def _compress_frames(container: Container, asset: Asset, policy: MemoryPolicy) -> list[Evidence]:
    """Return the slots that a memory policy retains of the generator's own tokens."""
    encoder = container.generation.onevision.create_token_encoder()
    frames = container.video_memory.key_frames(asset)
    for number, frame in enumerate(frames):
        _, tokens = encoder.encode([decode_jpeg(container.artifacts.read_picture(frame.picture)).copy()])
        policy.add(Node(number, frame.start_s, frame.end_s, 1, frame.start_s), tokens[0])
    return [_slot_evidence(container, asset, number, slot) for number, slot in enumerate(policy.slots(), 1)]


def _slot_evidence(container: Container, asset: Asset, number: int, slot: Slot) -> Evidence:
    picture = container.video_memory.key_frame_at(asset, slot.node.medoid_s).picture
    segment = Segment(-1, Origin.PICTURE, slot.node.start_s, slot.node.end_s, picture=picture)
    return Evidence(f"M{number}", RetrievedSegment(asset, segment, 0.0, {}, 0.0), slot.tokens)
