"""The memory of one video, as a whole: complete, its own, resumable at any moment."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexer.storage.folder_blobs import FolderBlobs
from memory.lane import LANE_CONFIGS
from memory.store import MemoryStore
from memory.tensor_codec import decode_state, encode_state_index
from memory.types import Node, Slot
from memory.video_memory import RING_SIZE, VideoMemory
from tests.support.token_streams import POSITIONS, WIDTH, token_stream


@dataclass(frozen=True, slots=True)
class Film:
    """Moments of uneven length and weight: tokens `[n, P, D]`, edges `[n + 1]` in seconds, weights `[n]`."""

    tokens: NDArray[np.float32]
    edges: NDArray[np.float64]
    weights: NDArray[np.int64]

    def add_to(self, memory: VideoMemory, first: int, end: int) -> VideoMemory:
        for index in range(first, end):
            span = float(self.edges[index]), float(self.edges[index + 1])
            memory.add(*span, int(self.weights[index]), self.tokens[index])
        return memory

    def indices_of(self, node: Node) -> slice:
        first, end = np.searchsorted(self.edges, [node.start_s, node.end_s])
        return slice(int(first), int(end))


def _make_film(seed: int, length: int) -> Film:
    rng = np.random.default_rng(seed)
    edges = np.concatenate([[0.0], np.cumsum(rng.uniform(0.1, 120.0, length))])
    return Film(token_stream(seed, length), edges, rng.integers(1, 5, length))


films = st.builds(_make_film, st.integers(0, 2**32 - 1), st.integers(1, 500))


def _make_memory(model: str = "model@1") -> VideoMemory:
    return VideoMemory(POSITIONS, WIDTH, model)


def _check_slot_means(film: Film, slots: list[Slot]) -> None:
    """Every slot is the mean of the film's own moments in its span, and its medoid is one of them."""
    for slot in slots:
        own = film.indices_of(slot.node)
        weights = film.weights[own]
        assert slot.node.weight == weights.sum()
        assert slot.node.medoid_s in film.edges[own]
        mean = np.average(film.tokens[own], axis=0, weights=weights)
        np.testing.assert_allclose(slot.tokens, mean, atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(films)
def test_each_lane_is_a_partition_of_the_time_and_counts_every_frame(film: Film) -> None:
    length = len(film.tokens)
    for name, slots in film.add_to(_make_memory(), 0, length).slots().items():
        edges = [slot.node.start_s for slot in slots] + [slots[-1].node.end_s]
        assert (edges[0], edges[-1]) == (0.0, film.edges[-1])
        assert [slot.node.end_s for slot in slots] == edges[1:]
        assert sum(slot.node.weight for slot in slots) == film.weights.sum()
        shape = LANE_CONFIGS[name]
        assert len(slots) <= shape.slots + shape.hour + shape.day + RING_SIZE
        _check_slot_means(film, slots)


@settings(deadline=None, max_examples=20)
@given(films, st.data())
def test_a_memory_that_is_split_at_any_moment_equals_one_pass(film: Film, data: st.DataObject) -> None:
    length = len(film.tokens)
    split = data.draw(st.integers(0, length))
    whole = film.add_to(_make_memory(), 0, length)
    first, second = film.add_to(_make_memory(), 0, split), _make_memory()
    tokens = {f"{lane}.{level}.tokens": bank.state().tokens for lane, level, bank in first.iter_banks()}
    second.restore(decode_state(encode_state_index(first) | tokens))
    film.add_to(second, split, length)
    _check_equal(second, whole)
    logs = [memory.drain_log() for memory in (first, second, whole)]
    assert {name: logs[0][name] + logs[1][name] for name in logs[0]} == logs[2]


@settings(deadline=None, max_examples=10)
@given(films, st.data())
def test_a_memory_that_goes_on_from_disk_equals_one_pass(
    tmp_path_factory: pytest.TempPathFactory, film: Film, data: st.DataObject
) -> None:
    length = len(film.tokens)
    split = data.draw(st.integers(0, length))
    store = MemoryStore(FolderBlobs(tmp_path_factory.mktemp("blobs")), "x")
    store.save_checkpoint(0, film.add_to(_make_memory(), 0, split))
    resumed = _make_memory()
    store.resume(0, resumed)
    _check_equal(film.add_to(resumed, split, length), film.add_to(_make_memory(), 0, length))


def _check_equal(actual: VideoMemory, expected: VideoMemory) -> None:
    expected_slots = expected.slots()
    for name, slots in actual.slots().items():
        assert [slot.node for slot in slots] == [slot.node for slot in expected_slots[name]]
        for mine, its in zip(slots, expected_slots[name], strict=True):
            np.testing.assert_array_equal(mine.tokens, its.tokens)


@settings(deadline=None, max_examples=10)
@given(films, films)
def test_no_slot_leaves_its_asset_where_two_are_indexed_at_once(
    tmp_path_factory: pytest.TempPathFactory, first: Film, second: Film
) -> None:
    blobs = FolderBlobs(tmp_path_factory.mktemp("blobs"))
    memories = {name: (film, _make_memory(), MemoryStore(blobs, name)) for name, film in (("a", first), ("b", second))}
    for index in range(max(len(first.tokens), len(second.tokens))):
        for film, memory, _ in memories.values():
            film.add_to(memory, index, min(index + 1, len(film.tokens)))
    for _, memory, store in memories.values():
        store.save_checkpoint(0, memory)
    for film, memory, store in memories.values():
        store.finish(1, memory)
        for name, slots in memory.slots().items():
            _check_slot_means(film, slots)
            assert [slot.node for slot in store.load().lanes[name]] == [slot.node for slot in slots]
            frames = [node for node in store.merge_tree(name).values() if node.children is None]
            assert [node.start_s for node in frames] == film.edges[:-1].tolist()


def test_the_newest_moments_stay_as_they_came() -> None:
    film = _make_film(1, 300)
    for slots in film.add_to(_make_memory(), 0, 300).slots().values():
        for slot, tokens in zip(slots[-RING_SIZE:], film.tokens[-RING_SIZE:], strict=True):
            assert slot.node.children is None
            np.testing.assert_array_equal(slot.tokens, tokens)


def test_tokens_of_another_shape_are_refused_and_change_nothing() -> None:
    memory = _make_film(1, 20).add_to(_make_memory(), 0, 20)
    with pytest.raises(ValueError, match=r"tokens of shape \(2, 2\) for a memory of \(6, 8\)"):
        memory.add(9e5, 9e5 + 1, 1, np.zeros((2, 2), np.float32))
    _check_equal(memory, _make_film(1, 20).add_to(_make_memory(), 0, 20))


def test_a_memory_goes_as_soon_as_nobody_needs_it() -> None:
    memory = _make_memory()
    bank = weakref.ref(next(memory.iter_banks())[2])
    gc.disable()
    try:
        del memory
        assert bank() is None
    finally:
        gc.enable()
