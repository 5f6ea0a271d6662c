"""Baseline memories: bounded, in order, deterministic; the incremental MA-LMM equals the published rule."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.memory_baselines.baselines import Fifo, KMeans, Uniform
from benchmarks.memory_baselines.malmm import MaLmm, reference_merge_step
from benchmarks.memory_baselines.policy import MemoryPolicy
from tests.support.token_streams import POSITIONS, WIDTH, frame_node, token_stream

BASELINES: dict[str, Callable[[int], MemoryPolicy]] = {
    "fifo": Fifo,
    "uniform": Uniform,
    "kmeans": KMeans,
    "malmm": lambda capacity: MaLmm(capacity, POSITIONS, WIDTH),
}


def _add_frames(policy: MemoryPolicy, length: int, seed: int = 1) -> MemoryPolicy:
    for index, tokens in enumerate(token_stream(seed, length)):
        policy.add(frame_node(index, index), tokens)
    return policy


@settings(deadline=None, max_examples=25, derandomize=True)  # two may be equally alike but for rounding
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(1, 70))
def test_the_incremental_malmm_equals_the_published_rule(seed: int, capacity: int, length: int) -> None:
    bank = MaLmm(capacity, POSITIONS, WIDTH)
    rows, sizes = np.zeros((0, POSITIONS, WIDTH), np.float32), np.zeros((0, POSITIONS), np.float32)
    for index, tokens in enumerate(token_stream(seed, length)):
        bank.add(frame_node(index, index), tokens)
        rows, sizes = np.concatenate([rows, tokens[None]]), np.concatenate([sizes, np.ones((1, POSITIONS), np.float32)])
        if len(rows) > capacity:
            rows, sizes = reference_merge_step(capacity, rows, sizes)
        np.testing.assert_allclose(np.stack([slot.tokens for slot in bank.slots()]), rows, atol=1e-5)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_is_bounded_in_order_and_deterministic(name: str) -> None:
    slots = _add_frames(BASELINES[name](10), 75).slots()
    assert len(slots) == 10
    assert [slot.node.start_s for slot in slots] == sorted(slot.node.start_s for slot in slots)
    again = _add_frames(BASELINES[name](10), 75).slots()
    assert all(np.array_equal(first.tokens, second.tokens) for first, second in zip(slots, again, strict=True))
    few = _add_frames(BASELINES[name](10), 4).slots()
    assert len(few) == 4


def test_fifo_holds_the_newest_frames() -> None:
    assert [slot.node.start_s for slot in _add_frames(Fifo(5), 30).slots()] == [25.0, 26.0, 27.0, 28.0, 29.0]


def test_uniform_spreads_single_frames_and_covers_the_time() -> None:
    slots = _add_frames(Uniform(8), 100).slots()
    starts = [slot.node.start_s for slot in slots]
    assert max(np.diff([*starts, 100.0])) <= 3 * 100 / 8
    assert sum(slot.node.weight for slot in slots) == 100
    frames = token_stream(1, 100)
    assert all(np.array_equal(slot.tokens, frames[int(slot.node.start_s)]) for slot in slots)


def test_kmeans_finds_the_scenes() -> None:
    frames = token_stream(4, 60, scene_length=10, noise=0.05)
    policy = KMeans(6, seed=3)
    for index, tokens in enumerate(frames):
        policy.add(frame_node(index, index), tokens)
    slots = policy.slots()
    assert sum(slot.node.weight for slot in slots) == 60
    assert all(slot.node.start_s <= slot.node.medoid_s < slot.node.end_s for slot in slots)
