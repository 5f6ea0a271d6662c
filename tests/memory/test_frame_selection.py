"""From hits to frames: only what was found, within the budget, in order, the same every time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.storage.folder_blobs import FolderBlobs
from memory.bank import MemoryBank
from memory.frame_selection import FrameSelector, ScoredSpan, select_aks, select_bolt, select_frames
from memory.merge_cost import GLOBAL_COST
from memory.store import MemoryStore
from memory.types import Node
from memory.video_memory import VideoMemory
from tests.support.token_streams import POSITIONS, WIDTH, frame_node, node_numbers, token_stream

FRAME_SELECTORS: dict[str, FrameSelector] = {"inverse transform": select_bolt, "time bins": select_aks}
FRAME_COUNT = 300
frame_scores = st.lists(st.floats(1e-9, 1.0), min_size=1, max_size=80).map(np.array)
spans = st.tuples(st.floats(0, FRAME_COUNT), st.floats(0, 40), st.floats(0, 1))
video_hits = st.lists(spans.map(lambda span: ScoredSpan(span[0], span[0] + span[1], span[2])), max_size=6)


class RecordingTree(dict[int, Node]):
    """A tree that remembers which of its nodes were asked for."""

    def __init__(self, nodes: Mapping[int, Node]) -> None:
        super().__init__(nodes)
        self.visited: list[Node] = []

    def __getitem__(self, number: int) -> Node:
        self.visited.append(super().__getitem__(number))
        return super().__getitem__(number)


def _slots_and_tree(length: int = FRAME_COUNT, capacity: int = 12) -> tuple[list[Node], RecordingTree]:
    nodes: list[Node] = []
    bank = MemoryBank(capacity, POSITIONS, WIDTH, GLOBAL_COST, node_numbers(), nodes.append)
    for index, tokens in enumerate(token_stream(2, length)):
        nodes.append(frame_node(10_000 + index, index))
        bank.add(nodes[-1], tokens)
    return bank.nodes(), RecordingTree({node.number: node for node in nodes})


SLOTS, TREE = _slots_and_tree()


@pytest.mark.parametrize("name", FRAME_SELECTORS)
@settings(deadline=None, max_examples=60)
@given(hits=video_hits, budget=st.integers(1, 50))
def test_frames_lie_in_hits_are_in_order_and_fill_the_budget(name: str, hits: list[ScoredSpan], budget: int) -> None:
    frames = select_frames(hits, SLOTS, TREE, budget, FRAME_SELECTORS[name])
    told = [hit for hit in hits if hit.score > 0]
    inside = [n for n in range(FRAME_COUNT) if any(hit.overlaps(frame_node(0, n)) for hit in told)]
    assert all(frame.children is None and int(frame.start_s) in inside for frame in frames)
    assert len(frames) == min(budget, len(inside))
    seconds = [int(frame.medoid_s) for frame in frames]
    assert seconds == sorted(set(seconds))
    assert frames == select_frames(hits[::-1], SLOTS, TREE, budget, FRAME_SELECTORS[name])


@pytest.mark.parametrize("name", FRAME_SELECTORS)
@settings(deadline=None)
@given(scores=frame_scores, budget=st.integers(1, 90))
def test_a_chooser_takes_as_many_as_it_may_each_once_in_order(name: str, scores: np.ndarray, budget: int) -> None:
    places = FRAME_SELECTORS[name](scores, budget)
    assert len(places) == min(budget, len(scores))
    assert (np.diff(places) > 0).all()
    assert set(places.tolist()) <= set(range(len(scores)))


@pytest.mark.parametrize("name", FRAME_SELECTORS)
def test_the_most_relevant_frame_is_taken_and_equals_are_spread(name: str) -> None:
    scores = np.full(60, 0.1)
    scores[37] = 1.0
    assert 37 in FRAME_SELECTORS[name](scores, 4)
    even = FRAME_SELECTORS[name](np.full(64, 0.6), 8)
    assert [int(place) // 8 for place in even] == list(range(8))


def test_sharpening_gives_the_better_hit_more_frames_but_not_all() -> None:
    places = select_bolt(np.repeat([0.4, 0.8], 50), 18)
    assert [int((places < 50).sum()), int((places >= 50).sum())] == [2, 16]


def test_frames_that_stand_out_take_the_bin_and_others_share_it() -> None:
    assert select_aks(np.repeat([0.2, 1.0, 0.2], [40, 8, 40]), 8).tolist() == list(range(40, 48))
    spread = select_aks(np.repeat([0.9, 1.0, 0.9], [40, 8, 40]), 8)
    assert [int((spread < 44).sum()), int((spread >= 44).sum())] == [4, 4]


def test_equals_that_stand_out_are_spread_over_their_hits() -> None:
    places = select_aks(np.tile(np.repeat([0.1, 1.0], [50, 10]), 4), 8)
    assert [int(place) // 60 for place in places] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_only_what_overlaps_a_hit_is_climbed() -> None:
    slots, tree = _slots_and_tree()
    assert [frame.start_s for frame in select_frames([ScoredSpan(100.0, 101.0, 1.0)], slots, tree, 5, select_aks)] == [
        100.0
    ]
    (held,) = (slot for slot in slots if slot.start_s <= 100 < slot.end_s)
    climbed = {n for node in (held, *tree.visited) if node.start_s <= 100 < node.end_s for n in node.children or ()}
    assert {node.number for node in tree.visited} == climbed


def test_an_instant_finds_the_frame_that_was_seen_then() -> None:
    frames = select_frames([ScoredSpan(42.5, 42.5, 0.7)], SLOTS, TREE, 3, select_bolt)
    assert [frame.start_s for frame in frames] == [42.0]


@pytest.mark.parametrize("tree", [{}, {8: frame_node(8, 0)}])
def test_a_slot_that_the_tree_does_not_know_is_its_own_medoid(tree: dict[int, Node]) -> None:
    slot = Node(9, 0.0, 30.0, 30, 12.0, (7, 8))
    assert select_frames([ScoredSpan(20.0, 25.0, 0.9)], [slot], tree, 4, select_aks) == [slot]


def test_a_second_gives_its_best_frame_only() -> None:
    frames = [Node(n, 0.25 * n, 0.25 * (n + 1), 1, 0.25 * n) for n in range(40)]
    hits = [ScoredSpan(0.0, 3.0, 0.5), ScoredSpan(1.5, 1.6, 0.9)]
    chosen = select_frames(hits, frames, {}, 10, select_bolt)
    assert [frame.medoid_s for frame in chosen] == [0.0, 1.5, 2.0]


def test_both_lanes_of_a_stored_memory_give_each_frame_once(tmp_path: Path) -> None:
    memory, store = VideoMemory(POSITIONS, WIDTH, "model@1"), MemoryStore(FolderBlobs(tmp_path), "x")
    for index, tokens in enumerate(token_stream(1, FRAME_COUNT)):
        memory.add(float(index), float(index + 1), 1, tokens)
    store.save_checkpoint(0, memory)
    store.finish(1, memory)
    lanes = store.load().lanes
    slots = [slot.node for lane in lanes.values() for slot in lane]
    tree = {number: node for lane in lanes for number, node in store.merge_tree(lane).items()}
    frames = select_frames([ScoredSpan(50.0, 60.0, 0.8), ScoredSpan(295.0, 400.0, 0.6)], slots, tree, 100, select_aks)
    assert [frame.start_s for frame in frames] == [*range(50, 60), *range(295, 300)]


def test_nothing_found_is_nothing_recalled() -> None:
    assert select_frames([], SLOTS, TREE, 4, select_aks) == []
    assert select_frames([ScoredSpan(0.0, 50.0, 0.0), ScoredSpan(900.0, 950.0, 1.0)], SLOTS, TREE, 4, select_aks) == []


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ValueError, match="a budget of 0 frames"):
        select_frames([], SLOTS, TREE, 0, select_aks)
    with pytest.raises(ValueError, match=r"a hit from 3.0 s to 2.0 s"):
        ScoredSpan(3.0, 2.0, 0.5)
    with pytest.raises(ValueError, match=r"a relevance of 1.5"):
        ScoredSpan(1.0, 2.0, 1.5)
    with pytest.raises(ValueError, match="a relevance of nan"):
        ScoredSpan(1.0, 2.0, float("nan"))
