"""Ways to show a long video to a model within one budget of tokens, to be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from demoworld.world.questions import Question, Span
from demoworld.world.truth import VideoTruth
from indexer.media.jpeg import decode_jpeg
from indexer.types import Origin, Pixels, Segment, SegmentFilter
from memory.baselines import Fifo
from memory.malmm import MaLmm
from memory.policy import Policy
from memory.recall import CHOOSERS
from memory.types import Node, Slot
from services.answering import Answering, gather
from services.asking import Reach
from services.catalog import Asset
from services.container import Container
from services.generators.wording import MEMORY
from services.recalling import Recalling
from services.types import Evidence, Found

SLOTS = 96
_MOST_FRAMES = 400

View = Callable[[Container, Asset], Answering]


@dataclass(frozen=True, slots=True)
class Fixed(Answering):
    """Answers from the same evidence whatever is asked."""

    given: tuple[Evidence, ...] = ()

    def evidence(self, question: str, where: SegmentFilter, pictures: Sequence[Pixels] = ()) -> list[Evidence]:
        return list(self.given)


def uniform_frames(container: Container, asset: Asset) -> Answering:
    """As many frames as the budget holds, evenly spread."""
    frames = container.remembering.key_frames(asset)
    count = min(len(frames), container.settings.generator.budget_tokens // _FRAME_TOKENS, _MOST_FRAMES)
    chosen = [frames[round(place)] for place in np.linspace(0, len(frames) - 1, count)]
    found = [
        Found(asset, Segment(-1, Origin.PICTURE, one.start_s, one.end_s, picture=one.picture), 1.0, {}, 0.0)
        for one in chosen
    ]
    return _fixed(container, gather(found))


def fifo(container: Container, asset: Asset) -> Answering:
    return _fixed(container, _of_policy(container, asset, Fifo(SLOTS)))


def malmm(container: Container, asset: Asset) -> Answering:
    encoder = container.onevision.token_encoder()
    return _fixed(container, _of_policy(container, asset, MaLmm(SLOTS, encoder.positions, encoder.width)))


def bank(container: Container, asset: Asset) -> Answering:
    """The two-lane memory alone."""
    assert container.answering.recalling is not None
    return _fixed(container, container.answering.recalling.slots(asset, SegmentFilter()))


def retrieval(container: Container, _: Asset) -> Answering:
    """What search finds, and nothing around it; times that are asked for are looked at, as search by time would."""
    own = container.answering.recalling
    assert own is not None
    bare = _Bare(own.remembering, own.catalog, own.frames, own.chooser, own.reads)
    return replace(container.answering, recalling=bare)


def bank_and_retrieval(container: Container, _: Asset) -> Answering:
    """What the services do by default."""
    return container.answering


def with_chooser(name: str) -> View:
    """Bank and retrieval with another chooser of frames."""

    def view(container: Container, _: Asset) -> Answering:
        assert container.answering.recalling is not None
        return replace(container.answering, recalling=replace(container.answering.recalling, chooser=CHOOSERS[name]))

    return view


VIEWS: dict[str, View] = {
    "uniform frames": uniform_frames,
    "fifo": fifo,
    "malmm": malmm,
    "two-lane bank": bank,
    "retrieval": retrieval,
    "bank + retrieval": bank_and_retrieval,
    "bank + retrieval, inverse_transform": with_chooser("inverse_transform"),
}
_FRAME_TOKENS, _DISTRACTORS = 27, 6


@dataclass(frozen=True, slots=True)
class PerfectRetrieval(Answering):
    """Shows what proves the answer, with the spans of the truth, among moments that have nothing to do with it."""

    asset: Asset | None = None
    spans: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    others: tuple[Span, ...] = ()

    def evidence(self, question: str, where: SegmentFilter, pictures: Sequence[Pixels] = ()) -> list[Evidence]:
        assert self.asset is not None and self.recalling is not None
        true = self.spans.get(question, ())
        apart = [one for one in self.others if not any(one[0] < end and one[1] > start for start, end in true)]
        rng = np.random.default_rng(len(question))
        shown = [*true, *(apart[place] for place in rng.permutation(len(apart))[:_DISTRACTORS])]
        return gather([_found(self.recalling, self.asset, span) for span in shown])


def perfect_retrieval(container: Container, asset: Asset, truth: VideoTruth, asked: Sequence[Question]) -> Answering:
    """An ablation: what is lost then is lost by the model."""
    own = container.answering
    return PerfectRetrieval(
        own.retrieval,
        own.generator,
        own.verifier,
        own.evidence_limit,
        own.recalling,
        own.keep_unsupported,
        asset,
        {one.text: one.spans for one in asked},
        tuple((event.start_s, event.end_s) for event in truth.events),
    )


def could_be_answered(question: Question, evidence: Sequence[Evidence]) -> bool:
    """Whether perfect eyes would have found the answer in the evidence: a frame of each span that proves it."""
    spans = [one.found.segment for one in evidence if not one.id.startswith(MEMORY)]
    return all(
        any((one.start_s or 0.0) < end and (one.end_s or 0.0) > start for one in spans) for start, end in question.spans
    )


def _found(recalling: Recalling, asset: Asset, span: Span) -> Found:
    picture = recalling.remembering.key_frame(asset, sum(span) / 2).picture
    return Found(asset, Segment(-1, Origin.PICTURE, *span, picture=picture), 0.9, {}, 0.0)


class _Bare(Recalling):
    """No memory, and no frames besides those that were found or asked for by their time."""

    def slots(self, asset: Asset, where: SegmentFilter) -> list[Evidence]:
        return []

    def frames_of(self, asset: Asset, reach: Reach, leading: Sequence[Found], found: Sequence[Found]) -> list[Found]:
        return []


def _fixed(container: Container, evidence: Sequence[Evidence]) -> Answering:
    own = container.answering
    return Fixed(
        own.retrieval, own.generator, own.verifier, own.evidence_limit, None, own.keep_unsupported, tuple(evidence)
    )


def _of_policy(container: Container, asset: Asset, policy: Policy) -> list[Evidence]:
    """The slots that a policy keeps of the generator's own tokens."""
    encoder = container.onevision.token_encoder()
    frames = container.remembering.key_frames(asset)
    for number, frame in enumerate(frames):
        _, tokens = encoder.encode([decode_jpeg(container.artifacts.picture(frame.picture)).copy()])
        policy.add(Node(number, frame.start_s, frame.end_s, 1, frame.start_s), tokens[0])
    return [_slot(container, asset, number, slot) for number, slot in enumerate(policy.slots(), 1)]


def _slot(container: Container, asset: Asset, number: int, slot: Slot) -> Evidence:
    picture = container.remembering.key_frame(asset, slot.node.medoid_s).picture
    segment = Segment(-1, Origin.PICTURE, slot.node.start_s, slot.node.end_s, picture=picture)
    return Evidence(f"M{number}", Found(asset, segment, 0.0, {}, 0.0), slot.tokens)
