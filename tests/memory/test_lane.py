"""A lane of memory: whole, bounded and resumable, however long the video is."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from memory.lane import LANE_CONFIGS, LaneConfig, MemoryLane
from memory.merge_cost import GLOBAL_COST, NOVELTY_COST
from memory.types import Node
from tests.support.token_streams import POSITIONS, WIDTH, frame_node, node_numbers, token_stream

SMALL_SHAPE = LaneConfig(12, 14, 10, GLOBAL_COST)
HOUR_S = 3600


def _make_lane(shape: LaneConfig = SMALL_SHAPE) -> MemoryLane:
    return MemoryLane(shape, POSITIONS, WIDTH, node_numbers())


def _add_moments(lane: MemoryLane, start_s: int, end_s: int, seed: int = 1, step_s: int = 10) -> MemoryLane:
    frames = token_stream(seed, 512)
    for index in range(start_s // step_s, end_s // step_s):
        node = Node(10**6 + index, float(index * step_s), float((index + 1) * step_s), step_s, float(index * step_s))
        lane.add(node, frames[index % 512])
    return lane


def _check_covers(nodes: list[Node], end_s: int) -> None:
    assert sum(node.weight for node in nodes) == end_s
    edges = [node.start_s for node in nodes] + [nodes[-1].end_s]
    assert [node.end_s for node in nodes] == edges[1:]
    assert (edges[0], edges[-1]) == (0.0, float(end_s))
    assert all(node.start_s <= node.medoid_s < node.end_s for node in nodes)


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 1000), st.integers(1, 30 * 360))
def test_the_levels_together_cover_everything_once_and_stay_bounded(seed: int, steps: int) -> None:
    nodes = _add_moments(_make_lane(), 0, steps * 10, seed).nodes()
    _check_covers(nodes, steps * 10)
    assert len(nodes) <= 12 + 14 + 10


def test_the_slots_are_those_of_the_nodes() -> None:
    lane = _add_moments(_make_lane(LaneConfig(6, 8, 4, NOVELTY_COST)), 0, 5 * HOUR_S)
    assert [slot.node for slot in lane.slots()] == lane.nodes()


def test_old_times_have_fewer_slots_than_new_ones() -> None:
    nodes = _add_moments(_make_lane(), 0, 12 * HOUR_S).nodes()
    newest = [node.end_s - node.start_s for node in nodes[-12:]]
    oldest = [node.end_s - node.start_s for node in nodes[:10]]
    assert np.mean(oldest) > 3 * np.mean(newest)


@settings(deadline=None, max_examples=8)
@given(st.integers(1, 7 * HOUR_S // 10 - 1).map(lambda step: 10 * step))
@example(600)
@example(HOUR_S)
@example(HOUR_S + 10)
def test_a_lane_that_is_split_anywhere_equals_one_pass(split_s: int) -> None:
    whole, number = _add_moments(_make_lane(), 0, 7 * HOUR_S), node_numbers()
    first = _add_moments(MemoryLane(SMALL_SHAPE, POSITIONS, WIDTH, number), 0, split_s)
    second = MemoryLane(SMALL_SHAPE, POSITIONS, WIDTH, number)
    second.restore(first.state())
    _add_moments(second, split_s, 7 * HOUR_S)
    assert second.nodes() == whole.nodes()
    for one, other in zip(second.slots(), whole.slots(), strict=True):
        np.testing.assert_array_equal(one.tokens, other.tokens)


def test_a_short_video_stays_in_the_bank_as_it_came() -> None:
    lane = MemoryLane(LANE_CONFIGS["global"], POSITIONS, WIDTH, node_numbers())
    for index, tokens in enumerate(token_stream(2, 60)):
        lane.add(frame_node(index, index), tokens)
    assert [node.weight for node in lane.nodes()] == [1] * 60
