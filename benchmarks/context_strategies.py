"""Ways to show a long video to a model within one budget of tokens, to be compared."""

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
from services.answering.answering import Answering, number_evidence
from services.answering.question_analysis import TemporalScope
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
    """Answers from the same evidence whatever is asked."""

    fixed_evidence: tuple[Evidence, ...] = ()

    def gather_evidence(self, question: str, filters: SegmentFilter, pictures: Sequence[Pixels] = ()) -> list[Evidence]:
        return list(self.fixed_evidence)


def with_uniform_frames(container: Container, asset: Asset) -> Answering:
    """As many frames as the budget holds, evenly spread."""
    frames = container.video_memory.key_frames(asset)
    count = min(len(frames), container.settings.generator.max_prompt_tokens // _TOKENS_PER_FRAME, _MAX_FRAMES)
    chosen = [frames[round(place)] for place in np.linspace(0, len(frames) - 1, count)]
    found = [
        RetrievedSegment(asset, Segment(-1, Origin.PICTURE, one.start_s, one.end_s, picture=one.picture), 1.0, {}, 0.0)
        for one in chosen
    ]
    return _answer_from(container, number_evidence(found))


def with_fifo(container: Container, asset: Asset) -> Answering:
    return _answer_from(container, _compress_frames(container, asset, Fifo(SLOT_COUNT)))


def with_malmm(container: Container, asset: Asset) -> Answering:
    encoder = container.onevision.create_token_encoder()
    return _answer_from(
        container, _compress_frames(container, asset, MaLmm(SLOT_COUNT, encoder.positions, encoder.width))
    )


def with_memory_bank(container: Container, asset: Asset) -> Answering:
    """The two-lane memory alone."""
    assert container.answering.video_context is not None
    return _answer_from(container, container.answering.video_context.memory_evidence(asset, SegmentFilter()))


def with_retrieval(container: Container, _: Asset) -> Answering:
    """What search finds, and nothing around it; times that are asked for are looked at, as search by time would."""
    own = container.answering.video_context
    assert own is not None
    search_only = _SearchOnlyContext(
        own.video_memory, own.catalog, own.max_frames, own.frame_chooser, own.accepts_tokens_of
    )
    return replace(container.answering, video_context=search_only)


def with_memory_and_retrieval(container: Container, _: Asset) -> Answering:
    """What the services do by default."""
    return container.answering


def with_frame_selection(name: str) -> ContextStrategy:
    """Bank and retrieval with another chooser of frames."""

    def view(container: Container, _: Asset) -> Answering:
        assert container.answering.video_context is not None
        return replace(
            container.answering,
            video_context=replace(container.answering.video_context, frame_chooser=FRAME_SELECTORS[name]),
        )

    return view


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
    """Shows what proves the answer, with the spans of the truth, and nothing else; where nothing does, some moments of
    other things."""

    asset: Asset | None = None
    spans_by_question: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    distractors: tuple[Span, ...] = ()

    def gather_evidence(self, question: str, filters: SegmentFilter, pictures: Sequence[Pixels] = ()) -> list[Evidence]:
        assert self.asset is not None and self.video_context is not None
        rng = np.random.default_rng(len(question))
        others = [self.distractors[place] for place in rng.permutation(len(self.distractors))[:_DISTRACTOR_COUNT]]
        shown = self.spans_by_question.get(question) or others
        return number_evidence([_segment_of_span(self.video_context, self.asset, span) for span in shown])


def with_oracle_retrieval(
    container: Container, asset: Asset, truth: VideoTruth, questions: Sequence[Question]
) -> Answering:
    """An ablation: what is lost then is lost by the model."""
    own = container.answering
    return OracleAnswering(
        own.retrieval,
        own.generator,
        own.verifier,
        own.max_evidence,
        own.video_context,
        own.keep_unsupported,
        asset,
        {one.text: one.spans for one in questions},
        tuple((event.start_s, event.end_s) for event in truth.events),
    )


def is_evidence_sufficient(question: Question, evidence: Sequence[Evidence]) -> bool:
    """Whether perfect eyes would have found the answer in the evidence: a frame of each span that proves it."""
    spans = [one.result.segment for one in evidence if not one.id.startswith(MEMORY_ID_PREFIX)]
    return all(
        any((one.start_s or 0.0) < end and (one.end_s or 0.0) > start for one in spans) for start, end in question.spans
    )


def _segment_of_span(video_context: VideoContext, asset: Asset, span: Span) -> RetrievedSegment:
    picture = video_context.video_memory.key_frame_at(asset, sum(span) / 2).picture
    return RetrievedSegment(asset, Segment(-1, Origin.PICTURE, *span, picture=picture), 0.9, {}, 0.0)


class _SearchOnlyContext(VideoContext):
    """No memory, and no frames besides those that were found or asked for by their time."""

    def memory_evidence(self, asset: Asset, filters: SegmentFilter) -> list[Evidence]:
        return []

    def frames_for_scope(
        self,
        asset: Asset,
        scope: TemporalScope,
        anchors: Sequence[RetrievedSegment],
        segments: Sequence[RetrievedSegment],
    ) -> list[RetrievedSegment]:
        return []


def _answer_from(container: Container, evidence: Sequence[Evidence]) -> Answering:
    own = container.answering
    return FixedEvidenceAnswering(
        own.retrieval, own.generator, own.verifier, own.max_evidence, None, own.keep_unsupported, tuple(evidence)
    )


def _compress_frames(container: Container, asset: Asset, policy: MemoryPolicy) -> list[Evidence]:
    """The slots that a policy keeps of the generator's own tokens."""
    encoder = container.onevision.create_token_encoder()
    frames = container.video_memory.key_frames(asset)
    for number, frame in enumerate(frames):
        _, tokens = encoder.encode([decode_jpeg(container.artifacts.read_picture(frame.picture)).copy()])
        policy.add(Node(number, frame.start_s, frame.end_s, 1, frame.start_s), tokens[0])
    return [_slot_evidence(container, asset, number, slot) for number, slot in enumerate(policy.slots(), 1)]


def _slot_evidence(container: Container, asset: Asset, number: int, slot: Slot) -> Evidence:
    picture = container.video_memory.key_frame_at(asset, slot.node.medoid_s).picture
    segment = Segment(-1, Origin.PICTURE, slot.node.start_s, slot.node.end_s, picture=picture)
    return Evidence(f"M{number}", RetrievedSegment(asset, segment, 0.0, {}, 0.0), slot.tokens)
