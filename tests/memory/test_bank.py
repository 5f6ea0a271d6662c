"""The bank of moments: bounded, complete, incremental, resumable."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from memory.bank import MemoryBank
from memory.merge_cost import GLOBAL_COST, NOVELTY_COST, MergeCost
from memory.types import Node, merge_nodes
from tests.support.token_streams import POSITIONS, WIDTH, frame_node, node_numbers, token_stream

COSTS = (GLOBAL_COST, NOVELTY_COST, MergeCost(0.0, 1.0))


def _make_bank(capacity: int, cost: MergeCost, merges: list[Node] | None = None) -> MemoryBank:
    told = merges if merges is not None else []
    return MemoryBank(capacity, POSITIONS, WIDTH, cost, node_numbers(), told.append)


def _add_frames(bank: MemoryBank, frames: NDArray[np.float32], first: int = 0) -> MemoryBank:
    for index, tokens in enumerate(frames, start=first):
        bank.add(frame_node(10_000 + index, index), tokens)
    return bank


def _reference_slots(
    frames: NDArray[np.float32], capacity: int, cost: MergeCost, pop_before: frozenset[int] = frozenset()
) -> list[tuple[Node, NDArray[np.float64]]]:
    """The same rule with nothing kept: every cost is worked out from the tokens at every step, in double precision.

    Before each frame in `given_away` the oldest slot goes.
    """
    number, slots = node_numbers(), []
    for index, tokens in enumerate(frames):
        if index in pop_before and slots:
            slots.pop(0)
        slots.append((frame_node(10_000 + index, index), tokens.astype(np.float64)))
        if len(slots) > capacity:
            costs = [_reference_cost(a, b, cost) for a, b in pairwise(slots)]
            place = int(np.argmin(costs))
            (before, a), (after, b) = slots[place], slots.pop(place + 1)
            mean = (before.weight * a + after.weight * b) / (before.weight + after.weight)
            slots[place] = (merge_nodes(number(), before, after), mean)
    return slots


def _reference_cost(
    first: tuple[Node, NDArray[np.float64]], second: tuple[Node, NDArray[np.float64]], cost: MergeCost
) -> float:
    (a, x), (b, y) = first, second
    dissimilarity = 1 - (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    size = a.weight * b.weight / (a.weight + b.weight)
    return float(size**cost.alpha * np.mean(dissimilarity**cost.p) ** (1 / cost.p))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(1, 60), st.sampled_from(COSTS), st.floats(0.05, 1.0))
def test_slots_partition_the_time_and_weights_count_the_frames(
    seed: int, capacity: int, length: int, cost: MergeCost, noise: float
) -> None:
    frames = token_stream(seed, length, noise=noise)
    slots = _add_frames(_make_bank(capacity, cost), frames).slots()
    assert len(slots) == min(capacity, length)
    assert sum(slot.node.weight for slot in slots) == length
    edges = [slot.node.start_s for slot in slots] + [slots[-1].node.end_s]
    assert [slot.node.end_s for slot in slots] == edges[1:]
    assert (edges[0], edges[-1]) == (0.0, float(length))
    for slot in slots:
        own = frames[int(slot.node.start_s) : int(slot.node.end_s)]
        assert len(own) == slot.node.weight
        np.testing.assert_allclose(slot.tokens, own.mean(0), atol=1e-5)
        assert slot.node.start_s <= slot.node.medoid_s < slot.node.end_s


@settings(deadline=None, max_examples=30, derandomize=True)  # two costs may be equal but for rounding
@given(st.integers(0, 2**32 - 1), st.integers(2, 10), st.sampled_from(COSTS))
def test_the_incremental_bank_equals_one_that_works_out_everything_anew(
    seed: int, capacity: int, cost: MergeCost
) -> None:
    frames = token_stream(seed, 50)
    slots, naive = _add_frames(_make_bank(capacity, cost), frames).slots(), _reference_slots(frames, capacity, cost)
    assert [slot.node for slot in slots] == [node for node, _ in naive]
    for slot, (_, tokens) in zip(slots, naive, strict=True):
        np.testing.assert_allclose(slot.tokens, tokens, atol=1e-5)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(2, 10), st.sampled_from(COSTS), st.frozensets(st.integers(1, 49)))
def test_the_incremental_bank_equals_a_naive_one_where_slots_are_given_away(
    seed: int, capacity: int, cost: MergeCost, given_away: frozenset[int]
) -> None:
    frames, bank = token_stream(seed, 50), _make_bank(capacity, cost)
    for index, tokens in enumerate(frames):
        if index in given_away and len(bank):
            bank.pop_oldest()
        bank.add(frame_node(10_000 + index, index), tokens)
    naive = _reference_slots(frames, capacity, cost, given_away)
    assert bank.nodes() == [node for node, _ in naive]
    for slot, (_, tokens) in zip(bank.slots(), naive, strict=True):
        np.testing.assert_allclose(slot.tokens, tokens, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 59), st.sampled_from(COSTS))
def test_a_run_that_is_split_anywhere_equals_one_pass(seed: int, split: int, cost: MergeCost) -> None:
    frames, number = token_stream(seed, 60), node_numbers()
    whole = _add_frames(_make_bank(8, cost), frames)
    first = _add_frames(MemoryBank(8, POSITIONS, WIDTH, cost, number), frames[:split])
    second = MemoryBank(8, POSITIONS, WIDTH, cost, number)
    second.restore(first.state())
    _add_frames(second, frames[split:], first=split)
    assert second.nodes() == whole.nodes()
    np.testing.assert_array_equal(second.state().tokens, whole.state().tokens)


def test_every_merge_is_told_with_its_children_so_that_the_tree_can_be_climbed_down() -> None:
    merges: list[Node] = []
    bank = _add_frames(_make_bank(4, GLOBAL_COST, merges), token_stream(3, 30))
    leaves = [frame_node(10_000 + index, index) for index in range(30)]
    known = {node.number: node for node in (*merges, *leaves)}
    assert len(merges) == 30 - 4

    def frames(node: Node) -> list[int]:
        return [int(node.start_s)] if node.children is None else [n for c in node.children for n in frames(known[c])]

    assert [index for node in bank.nodes() for index in frames(node)] == list(range(30))


def test_events_keep_their_slots_where_frames_inside_them_merge() -> None:
    frames = token_stream(5, 80, scene_length=10, noise=0.1)
    slots = _add_frames(_make_bank(8, GLOBAL_COST), frames).slots()
    assert [slot.node.start_s for slot in slots] == [float(start) for start in range(0, 80, 10)]


def test_a_needle_survives_where_the_largest_change_counts() -> None:
    frames = token_stream(6, 100, scene_length=50, noise=0.05)
    frames[70, 2] = -frames[70, 2]  # one position of one frame
    assert any(
        node.weight == 1 and node.start_s == 70 for node in _add_frames(_make_bank(6, NOVELTY_COST), frames).nodes()
    )


def test_the_oldest_slot_can_be_given_away() -> None:
    bank = _add_frames(_make_bank(5, GLOBAL_COST), token_stream(1, 20))
    first = bank.nodes()[0]
    assert bank.pop_oldest().node == first
    assert len(bank) == 4
    assert bank.nodes()[0].start_s == first.end_s


def test_tokens_of_another_shape_and_moments_out_of_order_are_refused() -> None:
    bank = _add_frames(_make_bank(4, GLOBAL_COST), token_stream(1, 3))
    with pytest.raises(ValueError, match=r"tokens of shape \(2, 2\) for a bank of \(6, 8\)"):
        bank.add(frame_node(9, 3), np.zeros((2, 2), np.float32))
    with pytest.raises(ValueError, match="does not follow"):
        bank.add(frame_node(9, 1), np.zeros((POSITIONS, WIDTH), np.float32))
    with pytest.raises(ValueError, match="cannot merge"):
        _make_bank(1, GLOBAL_COST)


def test_black_frames_make_no_trouble() -> None:
    slots = _add_frames(_make_bank(3, NOVELTY_COST), np.zeros((20, POSITIONS, WIDTH), np.float32)).slots()
    assert sum(slot.node.weight for slot in slots) == 20
    assert all(np.isfinite(slot.tokens).all() for slot in slots)
