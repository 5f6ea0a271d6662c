"""The sink of the indexing pass: no gap, real key frames, and a state to go on from whatever was lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.storage.folder_blobs import FolderBlobs
from indexer.types import KeyFrame, Pixels
from memory.errors import MemoryMismatch
from memory.sink import MemorySink
from memory.store import MemoryStore, StoredMemory
from tests.support.token_streams import POSITIONS, WIDTH, token_stream

CHECKPOINTS, FRAMES_PER_CHECKPOINT, CHECKPOINT_S = 5, 30, 60.0
MODEL = "model@1"
_FRAMES = token_stream(3, CHECKPOINTS * FRAMES_PER_CHECKPOINT)


@dataclass(frozen=True, slots=True)
class _EncoderShape:
    """All that a sink asks of an encoder."""

    model_id: str = MODEL
    positions: int = POSITIONS
    width: int = WIDTH

    def encode(self, pictures: Sequence[Pixels]) -> tuple[None, NDArray[np.float32]]:
        raise AssertionError("a sink encodes nothing")


@pytest.fixture
def memory_folder(tmp_path: Path) -> Path:
    return tmp_path / "video/v1/memory"


def _store(tmp_path: Path) -> MemoryStore:
    return MemoryStore(FolderBlobs(tmp_path), "video/v1")


def _sink(tmp_path: Path, model: str = MODEL) -> MemorySink:
    return MemorySink(_store(tmp_path), _EncoderShape(model))


def _key_frames(number: int) -> list[KeyFrame]:
    """Two seconds each; the first is seen half a second into its stretch, the second stretch is empty."""
    begins = [number * CHECKPOINT_S + 0.5 + 2 * index for index in range(FRAMES_PER_CHECKPOINT)] if number != 1 else []
    ends = [*begins[1:], (number + 1) * CHECKPOINT_S]
    frames = zip(begins, ends, _FRAMES[number * FRAMES_PER_CHECKPOINT :], strict=False)
    return [KeyFrame(start_s, end_s, 2, tokens) for start_s, end_s, tokens in frames]


def _take_checkpoints(sink: MemorySink, first: int = 0, end: int = CHECKPOINTS) -> None:
    for number in range(first, end):
        sink.save_checkpoint(number, _key_frames(number))


def _check_same(actual: StoredMemory, uninterrupted_memory: StoredMemory) -> None:
    assert replace(actual.manifest, shas={}) == replace(uninterrupted_memory.manifest, shas={})
    for name, slots in uninterrupted_memory.lanes.items():
        assert [slot.node for slot in actual.lanes[name]] == [slot.node for slot in slots]
        for one, other in zip(actual.lanes[name], slots, strict=True):
            np.testing.assert_array_equal(one.tokens, other.tokens)


@pytest.fixture
def uninterrupted_memory(tmp_path: Path) -> StoredMemory:
    sink = _sink(tmp_path / "undisturbed")
    assert sink.resume(0) == 0
    _take_checkpoints(sink)
    sink.finish(CHECKPOINTS)
    return _store(tmp_path / "undisturbed").load(MODEL)


def test_moments_leave_no_gap_and_their_medoids_are_key_frames(uninterrupted_memory: StoredMemory) -> None:
    times = {frame.time_s for number in range(CHECKPOINTS) for frame in _key_frames(number)}
    for slots in uninterrupted_memory.lanes.values():
        nodes = [slot.node for slot in slots]
        assert [node.start_s for node in nodes] == [0.0, *(node.end_s for node in nodes[:-1])]
        assert nodes[-1].end_s == CHECKPOINTS * CHECKPOINT_S
        assert sum(node.weight for node in nodes) == 2 * (CHECKPOINTS - 1) * FRAMES_PER_CHECKPOINT
        assert all(node.start_s <= node.medoid_s < node.end_s and node.medoid_s in times for node in nodes)


@pytest.mark.parametrize("saved_count", range(1, CHECKPOINTS + 1))
@pytest.mark.parametrize("is_committed", [True, False])
def test_a_run_that_ends_anywhere_is_gone_on_with(
    tmp_path: Path, uninterrupted_memory: StoredMemory, saved_count: int, is_committed: bool
) -> None:
    _take_checkpoints(_sink(tmp_path), end=saved_count)
    committed = saved_count if is_committed else saved_count - 1
    again = _sink(tmp_path)
    assert again.resume(committed) == committed
    _take_checkpoints(again, committed)
    again.finish(CHECKPOINTS)
    _check_same(_store(tmp_path).load(MODEL), uninterrupted_memory)


def test_a_state_that_was_half_written_is_not_gone_on_from(
    tmp_path: Path, memory_folder: Path, uninterrupted_memory: StoredMemory
) -> None:
    _take_checkpoints(_sink(tmp_path), end=3)
    kept = (memory_folder / "after/0/global.bank.00").read_bytes()
    later = _sink(tmp_path)
    assert later.resume(3) == 3
    _take_checkpoints(later, 3, 5)
    (memory_folder / "after/0/global.bank.00").write_bytes(kept)  # of checkpoint 2 among parts of 4
    again = _sink(tmp_path)
    assert again.resume(5) == 4
    _take_checkpoints(again, 4)
    again.finish(CHECKPOINTS)
    _check_same(_store(tmp_path).load(MODEL), uninterrupted_memory)


@pytest.mark.parametrize(("lost_places", "resumed_at"), [((1,), 3), ((0, 1), 0)])
def test_what_was_lost_is_made_again(
    tmp_path: Path,
    memory_folder: Path,
    uninterrupted_memory: StoredMemory,
    lost_places: tuple[int, ...],
    resumed_at: int,
) -> None:
    _take_checkpoints(_sink(tmp_path), end=4)
    for place in lost_places:  # the states after checkpoints 2 and 3 are in 0 and 1
        state = memory_folder / f"after/{place}/novelty.bank.00"
        state.write_bytes(state.read_bytes()[:1000])
    again = _sink(tmp_path)
    assert again.resume(4) == resumed_at
    _take_checkpoints(again, resumed_at)
    again.finish(CHECKPOINTS)
    _check_same(_store(tmp_path).load(MODEL), uninterrupted_memory)


def test_a_state_of_later_than_what_is_committed_is_not_gone_on_from(
    tmp_path: Path, uninterrupted_memory: StoredMemory
) -> None:
    _take_checkpoints(_sink(tmp_path))
    again = _sink(tmp_path)
    assert again.resume(2) == 0
    _take_checkpoints(again)
    again.finish(CHECKPOINTS)
    _check_same(_store(tmp_path).load(MODEL), uninterrupted_memory)


def test_a_memory_that_was_finished_before_its_asset_stays(tmp_path: Path, memory_folder: Path) -> None:
    sink = _sink(tmp_path)
    _take_checkpoints(sink)
    sink.finish(CHECKPOINTS)
    before = {path: path.stat().st_mtime_ns for path in memory_folder.rglob("*")}
    again = _sink(tmp_path)
    assert again.resume(CHECKPOINTS) == CHECKPOINTS
    again.finish(CHECKPOINTS)
    assert {path: path.stat().st_mtime_ns for path in memory_folder.rglob("*")} == before
    assert _sink(tmp_path).resume(CHECKPOINTS - 1) == 0


def test_a_state_of_another_model_is_refused_by_name(tmp_path: Path) -> None:
    _take_checkpoints(_sink(tmp_path), end=1)
    with pytest.raises(MemoryMismatch, match="was made by model@1, not by model@2"):
        _sink(tmp_path, "model@2").resume(1)


def test_a_video_without_key_frames_has_an_empty_memory(tmp_path: Path) -> None:
    sink = _sink(tmp_path)
    assert sink.resume(0) == 0
    sink.finish(0)
    assert _store(tmp_path).load(MODEL).lanes == {"global": [], "novelty": []}
