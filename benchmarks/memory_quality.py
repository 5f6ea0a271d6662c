"""Benchmark of what a bounded memory retains of a video: ours and baselines on synthetic streams, all with 96 slots.

A stream has 3,000 frames of 49 tokens, with noise: 50 to 60 events, each a still scene, and 20 needles: 1 to 3 frames
in which four positions show something unlike anything else. Any two scenes have a cosine of 0.6, as tokens of one model
have much in common. A second set of streams has 300 frames of constant motion somewhere: a view that turns, by a cosine
of 0.975 from frame to frame, into one scene of that world after another (some 20 in all) and never comes back. A third
set, reported without targets, has motion that has nothing in common with any scene. Events that motion covers are not
counted, needles in it are. Metrics:

- error: squared distance of each frame from the slot that stands for its time, over the frame's own squared norm; for
  two lanes, the nearer of the two slots; k-means has no times, so that each frame takes the nearest centre;
- events: a slot looks like the scene (mean cosine ≥ 0.9);
- needles: a slot looks like the needle where it lies (mean cosine ≥ 0.7 over its four positions).
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from benchmarks.memory_baselines.baselines import Fifo, KMeans, Uniform
from benchmarks.memory_baselines.malmm import MaLmm
from benchmarks.memory_baselines.policy import MemoryPolicy
from benchmarks.report import Figure, make_parser, print_table, report
from memory.bank import MemoryBank
from memory.merge_cost import GLOBAL_COST, NOVELTY_COST, MergeCost
from memory.types import Node, Slot

_FRAMES, _POSITIONS, _WIDTH, _NEEDLE_COUNT, _NEEDLE_POSITIONS, _MOTION_FRAMES = 3000, 49, 32, 20, 4, 300
_SCENE_COSINE, _NOISE_STD, _DRIFT = 0.6, 0.25, 0.35
_GLOBAL_SLOTS, _NOVELTY_SLOTS = 64, 32
_SLOTS = _GLOBAL_SLOTS + _NOVELTY_SLOTS
_SCENE_MIN_COSINE, _NEEDLE_MIN_COSINE = 0.9, 0.7
Tokens = NDArray[np.float32]


class StreamMotion(StrEnum):
    """Kind of motion that the streams of one set have."""

    NONE = "still"
    RELATED = "with motion"
    UNRELATED = "with strange motion"


@dataclass(frozen=True, slots=True)
class Needle:
    """Something small during frames `[first, end)` at some positions; its tokens there are `[positions, width]`."""

    first: int
    end: int
    positions: NDArray[np.intp]
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class TokenStream:
    """Frames `[n, P, D]`, the scenes of the events `[e, P, D]`, and the needles."""

    frames: Tokens
    scenes: Tokens
    needles: tuple[Needle, ...]


@dataclass(frozen=True, slots=True)
class RetentionScores:
    """What a memory retained of one stream: relative error, shares of events and of needles."""

    error: float
    events: float
    needles: float


def make_stream(seed: int, motion: StreamMotion) -> TokenStream:
    """Generate a seeded stream, with or without a block of constant motion."""
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.choice(np.arange(20, _FRAMES - 20, 12), int(rng.integers(50, 61)) - 1, replace=False))
    edges = [0, *cuts.tolist(), _FRAMES]
    common, own = rng.standard_normal((_POSITIONS, _WIDTH)), rng.standard_normal((len(edges) - 1, _POSITIONS, _WIDTH))
    scenes = _add_common_part(common, own)
    frames = np.repeat(scenes, np.diff(edges), 0)
    moving = range(0)
    if motion is not StreamMotion.NONE:
        start = int(rng.integers(0, _FRAMES - _MOTION_FRAMES))
        moving = range(start, start + _MOTION_FRAMES)
        walk = _random_walk(rng)
        frames[moving.start : moving.stop] = _add_common_part(common, walk) if motion is StreamMotion.RELATED else walk
    frames += _NOISE_STD * rng.standard_normal(frames.shape).astype(np.float32)
    needles = tuple(_plant_needle(rng, frames) for _ in range(_NEEDLE_COUNT))
    whole = [i for i, (a, b) in enumerate(itertools.pairwise(edges)) if b <= moving.start or moving.stop <= a]
    return TokenStream(frames, scenes[whole], needles)


def _add_common_part(common: NDArray[np.float64], own: NDArray[np.generic]) -> Tokens:
    """Mix in a common part, so that independent pictures have a cosine of `_SCENE_COSINE`."""
    pictures: Tokens = (np.sqrt(_SCENE_COSINE) * common + np.sqrt(1 - _SCENE_COSINE) * own).astype(np.float32)
    return pictures


def _random_walk(rng: np.random.Generator) -> Tokens:
    """Return pictures that change a little with every frame and never come back."""
    steps = rng.standard_normal((_MOTION_FRAMES, _POSITIONS, _WIDTH)).astype(np.float32)
    keep = float(np.sqrt(1 - _DRIFT**2))
    for before, now in itertools.pairwise(range(_MOTION_FRAMES)):
        steps[now] = keep * steps[before] + _DRIFT * steps[now]
    return steps


def _plant_needle(rng: np.random.Generator, frames: Tokens) -> Needle:
    first, long = int(rng.integers(0, _FRAMES - 3)), int(rng.integers(1, 4))
    spots = rng.choice(_POSITIONS, _NEEDLE_POSITIONS, replace=False)
    tokens = rng.standard_normal((_NEEDLE_POSITIONS, _WIDTH)).astype(np.float32)
    frames[first : first + long, spots] = tokens
    return Needle(first, first + long, spots, tokens)


def measure_retention(policies: Callable[[], list[MemoryPolicy]], stream: TokenStream) -> RetentionScores:
    """Feed a stream to one policy, or to both lanes of ours, and score the slots."""
    lanes = []
    for policy in policies():
        for index, tokens in enumerate(stream.frames):
            policy.add(Node(-index - 1, float(index), float(index + 1), 1, float(index)), tokens)
        lanes.append(policy.slots())
    slots = np.stack([slot.tokens for lane in lanes for slot in lane])
    return RetentionScores(
        _reconstruction_error(lanes, stream.frames),
        _event_coverage(slots, stream.scenes),
        _needle_recall(slots, stream.needles),
    )


def _reconstruction_error(lanes: Sequence[Sequence[Slot]], frames: Tokens) -> float:
    norms = (frames**2).sum((1, 2))
    nearest = np.full(len(frames), np.inf)
    for lane in lanes:
        overlapping = any(a.node.end_s > b.node.start_s for a, b in itertools.pairwise(lane))
        for slot in lane:
            first, end = (0, len(frames)) if overlapping else (round(slot.node.start_s), round(slot.node.end_s))
            distances = ((frames[first:end] - slot.tokens) ** 2).sum((1, 2))
            nearest[first:end] = np.minimum(nearest[first:end], distances)
    return float(np.where(np.isinf(nearest), norms, nearest).sum() / norms.sum())


def _event_coverage(slots: Tokens, scenes: Tokens) -> float:
    cosines = np.einsum("spd,epd->sep", _normalize(slots), _normalize(scenes)).mean(2)
    return float((cosines.max(0) >= _SCENE_MIN_COSINE).mean())


def _needle_recall(slots: Tokens, needles: Sequence[Needle]) -> float:
    units = _normalize(slots)
    best = [
        float((units[:, needle.positions] * _normalize(needle.tokens)).sum(-1).mean(-1).max()) for needle in needles
    ]
    return float(np.mean([cosine >= _NEEDLE_MIN_COSINE for cosine in best]))


def _normalize(tokens: Tokens) -> Tokens:
    lengths = np.maximum(np.linalg.norm(tokens, axis=-1, keepdims=True), 1e-9)
    units: Tokens = (tokens / lengths).astype(np.float32)
    return units


def _make_bank(slots: int, cost: MergeCost) -> MemoryBank:
    count = itertools.count()
    return MemoryBank(slots, _POSITIONS, _WIDTH, cost, lambda: next(count))


POLICY_FACTORIES: dict[str, Callable[[], list[MemoryPolicy]]] = {
    "two lanes": lambda: [_make_bank(_GLOBAL_SLOTS, GLOBAL_COST), _make_bank(_NOVELTY_SLOTS, NOVELTY_COST)],
    "malmm": lambda: [MaLmm(_SLOTS, _POSITIONS, _WIDTH)],
    "fifo": lambda: [Fifo(_SLOTS)],
    "uniform": lambda: [Uniform(_SLOTS)],
    "kmeans": lambda: [KMeans(_SLOTS)],
    "frame cosine (α=0, p=1)": lambda: [_make_bank(_SLOTS, MergeCost(0.0, 1.0))],
    "global lane alone": lambda: [_make_bank(_SLOTS, GLOBAL_COST)],
    "novelty lane alone": lambda: [_make_bank(_SLOTS, NOVELTY_COST)],
}
_OWN_POLICY, _BASELINES = "two lanes", ("malmm", "fifo", "uniform", "kmeans")
ResultCells = dict[tuple[str, StreamMotion], list[RetentionScores]]


def measure(streams: int) -> Iterator[Figure]:
    """Print a table of all policies for each metric; yields the figures of ours."""
    cells = {
        (name, motion): [measure_retention(policies, make_stream(seed, motion)) for seed in range(streams)]
        for name, policies in POLICY_FACTORIES.items()
        for motion in StreamMotion
    }
    for metric in ("error", "events", "needles"):
        rows = [
            (
                name,
                *(
                    _mean_and_spread([getattr(scores, metric) for scores in cells[name, motion]])
                    for motion in StreamMotion
                ),
            )
            for name in POLICY_FACTORIES
        ]
        print_table(f"{metric}, {streams} streams a cell, {_SLOTS} slots each", ("policy", *StreamMotion), rows)
    for motion in StreamMotion:
        yield from _make_figures(cells, motion)


def _make_figures(cells: ResultCells, motion: StreamMotion) -> Iterator[Figure]:
    def mean(name: str, metric: str) -> float:
        return float(np.mean([getattr(scores, metric) for scores in cells[name, motion]]))

    def target_for(target: float) -> float | None:
        return None if motion is StreamMotion.UNRELATED else target

    yield Figure(f"two lanes: events covered, {motion}", mean(_OWN_POLICY, "events"), "", target_for(0.95))
    yield Figure(f"two lanes: needles found, {motion}", mean(_OWN_POLICY, "needles"), "", target_for(0.75))
    over = mean(_OWN_POLICY, "needles") - max(mean(name, "needles") for name in _BASELINES)
    yield Figure(f"needles found over the best baseline's, {motion}", over, "", target_for(0.0))
    ratio = mean(_OWN_POLICY, "error") / min(mean(name, "error") for name in _BASELINES)
    yield Figure(f"error over the best baseline's, {motion}", ratio, "×", target_for(1.0), at_least=False)


def _mean_and_spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.2f} ± {np.std(values):.2f}"


if __name__ == "__main__":
    parser = make_parser(__doc__ or "")
    parser.add_argument("--streams", type=int, default=10, help="streams a cell")
    args = parser.parse_args()
    sys.exit(report("memory_quality", list(measure(args.streams)), args.check, args.json))
