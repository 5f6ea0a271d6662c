"""Memories on disk: resumable, checked, refused to other models, small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import ArtifactError
from indexer.storage.folder_blobs import FolderBlobs
from memory.errors import MemoryMismatch
from memory.lane import LANE_CONFIGS
from memory.quantization import TokenPrecision
from memory.store import MemoryStore
from memory.types import Node
from memory.video_memory import VideoMemory
from tests.support.token_streams import POSITIONS, WIDTH, token_stream

FRAME_COUNT, FRAMES_PER_CHECKPOINT = 400, 60


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    return MemoryStore(FolderBlobs(tmp_path), "artifacts/abc/v1")


def _make_memory(model: str = "model@1") -> VideoMemory:
    return VideoMemory(POSITIONS, WIDTH, model)


def _add_frames(memory: VideoMemory, start: int, end: int) -> VideoMemory:
    frames = token_stream(8, FRAME_COUNT)
    for index in range(start, end):
        memory.add(float(3 * index), float(3 * index + 3), 3, frames[index])
    return memory


def _save_checkpoints(store: MemoryStore, memory: VideoMemory, first: int = 0) -> int:
    """Fill and save, stretch by stretch; gives how many checkpoints there are."""
    last = -(-FRAME_COUNT // FRAMES_PER_CHECKPOINT)
    for number in range(first, last):
        _add_frames(memory, number * FRAMES_PER_CHECKPOINT, min(FRAME_COUNT, (number + 1) * FRAMES_PER_CHECKPOINT))
        store.save_checkpoint(number, memory)
    return last


def test_each_lane_covers_the_whole_video_and_counts_its_frames() -> None:
    lanes = _add_frames(_make_memory(), 0, FRAME_COUNT).slots()
    assert set(lanes) == set(LANE_CONFIGS)
    for slots in lanes.values():
        edges = [slot.node.start_s for slot in slots] + [slots[-1].node.end_s]
        assert (edges[0], edges[-1]) == (0.0, 3.0 * FRAME_COUNT)
        assert [slot.node.end_s for slot in slots] == edges[1:]
        assert sum(slot.node.weight for slot in slots) == 3 * FRAME_COUNT


@pytest.mark.parametrize("stopped_after", [0, 2, 5])
def test_a_memory_that_goes_on_from_a_checkpoint_equals_one_pass(
    store: MemoryStore, tmp_path: Path, stopped_after: int
) -> None:
    whole = _make_memory()
    count = _save_checkpoints(MemoryStore(FolderBlobs(tmp_path / "whole"), "x"), whole)
    first = _make_memory()
    for number in range(stopped_after + 1):
        _add_frames(first, number * FRAMES_PER_CHECKPOINT, (number + 1) * FRAMES_PER_CHECKPOINT)
        store.save_checkpoint(number, first)
    second = _make_memory()
    store.resume(stopped_after, second)
    assert _save_checkpoints(store, second, stopped_after + 1) == count
    for name, slots in whole.slots().items():
        assert [slot.node for slot in slots] == [slot.node for slot in second.slots()[name]]
        for one, other in zip(slots, second.slots()[name], strict=True):
            np.testing.assert_array_equal(one.tokens, other.tokens)


def test_a_finished_memory_comes_back_in_half_precision(store: MemoryStore) -> None:
    memory = _make_memory()
    store.finish(_save_checkpoints(store, memory), memory)
    stored = store.load("model@1")
    for name, slots in memory.slots().items():
        assert [slot.node for slot in stored.lanes[name]] == [slot.node for slot in slots]
        for one, other in zip(stored.lanes[name], slots, strict=True):
            np.testing.assert_allclose(one.tokens, other.tokens, atol=2e-3, rtol=1e-3)


def test_a_finished_memory_comes_back_in_bytes_with_a_scale_per_token(store: MemoryStore) -> None:
    memory = _make_memory()
    assert store.finish(_save_checkpoints(store, memory), memory, TokenPrecision.INT8).precision is TokenPrecision.INT8
    stored = store.load("model@1")
    assert stored.manifest.precision is TokenPrecision.INT8
    for name, slots in memory.slots().items():
        assert [slot.node for slot in stored.lanes[name]] == [slot.node for slot in slots]
        for one, other in zip(stored.lanes[name], slots, strict=True):
            assert one.tokens.dtype == np.float32
            half_a_step = np.abs(other.tokens).max(-1, keepdims=True) / 254
            assert (np.abs(one.tokens - other.tokens) <= half_a_step * 1.001).all()


def test_bytes_take_half_the_room(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).standard_normal((300, 49, 64)).astype(np.float32)
    memory = VideoMemory(49, 64, "model@1")
    for index, tokens in enumerate(frames):
        memory.add(float(index), float(index + 1), 1, tokens)
    sizes = {}
    for precision in TokenPrecision:
        MemoryStore(FolderBlobs(tmp_path), precision).finish(0, memory, precision)
        sizes[precision] = (tmp_path / precision / "memory/bank").stat().st_size
    slots = sum(map(len, memory.slots().values()))
    assert sizes[TokenPrecision.FLOAT16] == pytest.approx(slots * 49 * 64 * 2, rel=0.02)
    assert sizes[TokenPrecision.INT8] == pytest.approx(slots * 49 * (64 + 4), rel=0.03)


def test_a_memory_that_is_not_what_its_manifest_says_is_named(store: MemoryStore, tmp_path: Path) -> None:
    memory = _make_memory()
    store.finish(_save_checkpoints(store, memory), memory)
    path = tmp_path / "artifacts/abc/v1/memory/manifest.json"
    whole = path.read_text()
    path.write_text(whole.replace("float16", "int8"))
    with pytest.raises(ArtifactError, match="bank: holds no 'scales'"):
        store.load()
    path.write_text(whole.replace("float16", "int3"))
    with pytest.raises(ArtifactError, match=r"manifest.json: is damaged"):
        store.load()
    path.write_text(whole.replace('"schema":1', '"schema":9'))
    with pytest.raises(ArtifactError, match=r"manifest.json: is of version 9, not 1"):
        store.load()


def test_slots_can_be_climbed_down_to_their_frames_from_disk(store: MemoryStore) -> None:
    memory = _make_memory()
    store.finish(_save_checkpoints(store, memory), memory)
    for name, slots in store.load().lanes.items():
        tree = store.merge_tree(name)

        def frames(node: Node, tree: dict[int, Node] = tree) -> list[Node]:  # type: ignore[assignment]
            return [node] if node.children is None else [one for n in node.children for one in frames(tree[n])]

        leaves = [leaf for slot in slots for leaf in frames(slot.node)]
        assert [leaf.start_s for leaf in leaves] == [3.0 * index for index in range(FRAME_COUNT)]
        assert all(slot.node.medoid_s in {leaf.start_s for leaf in frames(slot.node)} for slot in slots)


def test_only_the_two_newest_states_are_kept_and_none_once_it_is_finished(store: MemoryStore, tmp_path: Path) -> None:
    memory = _make_memory()
    count = _save_checkpoints(store, memory)
    folder = tmp_path / "artifacts/abc/v1/memory"
    levels = {f"{lane}.{level}": len(bank) for lane, level, bank in memory.iter_banks()}
    blocks = [f"{level}.{block:02}" for level, length in levels.items() for block in range(-(-length // 16))]
    for place in (0, 1):
        stored = sorted(path.name for path in folder.glob(f"after/{place}/*"))
        assert stored == sorted(["ring", *blocks])
    store.finish(count, memory)
    assert list(folder.glob("after/*")) == []
    assert len(list(folder.glob("*.log"))) == count


def test_a_memory_of_another_model_is_refused_by_name(store: MemoryStore) -> None:
    memory = _make_memory()
    count = _save_checkpoints(store, memory)
    with pytest.raises(MemoryMismatch, match=r"was made by model@1, not by model@2"):
        store.resume(count - 1, _make_memory("model@2"))
    store.finish(count, memory)
    with pytest.raises(MemoryMismatch, match=r"was made by model@1, not by model@2"):
        store.load("model@2")


@pytest.mark.parametrize("precision", TokenPrecision)
@pytest.mark.parametrize("name", ["bank", "00003.log", "manifest.json"])
@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
def test_a_damaged_memory_is_named(
    store: MemoryStore, tmp_path: Path, name: str, harm: str, precision: TokenPrecision
) -> None:
    memory = _make_memory()
    store.finish(_save_checkpoints(store, memory), memory, precision)
    path = tmp_path / "artifacts/abc/v1/memory" / name
    data = path.read_bytes()
    path.unlink()
    if harm != "gone":
        path.write_bytes(data[: len(data) // 2] if harm == "cut" else bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(ArtifactError, match=name):
        store.load()
        store.merge_tree("global")


def test_a_damaged_state_is_named(store: MemoryStore, tmp_path: Path) -> None:
    count = _save_checkpoints(store, _make_memory())
    path = tmp_path / f"artifacts/abc/v1/memory/after/{(count - 1) % 2}/global.bank.00"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ArtifactError, match=r"/global.bank.00: is damaged"):
        store.resume(count - 1, _make_memory())


def test_what_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    written_keys: list[str] = []
    put = blobs.put
    blobs.put = lambda key, data: (written_keys.append(key), put(key, data))[1]  # type: ignore[method-assign, func-returns-value]
    store, memory = MemoryStore(blobs, "x"), _make_memory()
    for number, (start, end) in enumerate([(0, 200), (200, 380), (380, 390), (390, FRAME_COUNT)]):
        _add_frames(memory, start, end)
        written_keys.clear()
        store.save_checkpoint(number, memory)
    changed = {key.split("/")[-1].rsplit(".", 1)[0] for key in written_keys if "/after/" in key}
    assert {"global.bank", "novelty.bank", "ring"} <= changed and "global.hour" not in changed
    assert (tmp_path / "x/memory/after/1/global.hour.00").exists()
    again = _make_memory()
    store.resume(3, again)
    np.testing.assert_array_equal(again.lanes["global"].state().hour.tokens, memory.lanes["global"].state().hour.tokens)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.data())
def test_damage_anywhere_in_a_state_or_a_log_is_seen(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("blobs")
    store, memory = MemoryStore(FolderBlobs(folder), "x"), _add_frames(_make_memory(), 0, 70)
    store.save_checkpoint(0, memory)
    name = data.draw(st.sampled_from(["after/0/ring", "after/0/global.bank.00", "00000.log"]))
    path = folder / "x/memory" / name
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[:place] + bytes([whole[place] ^ (1 << data.draw(st.integers(0, 7)))]) + whole[place + 1 :]
    path.write_bytes(data.draw(st.sampled_from([whole[:place], flipped])))
    with pytest.raises(ArtifactError, match=name):
        store.resume(0, _make_memory())
        store.finish(1, memory)


@pytest.mark.parametrize("precision", TokenPrecision)
def test_a_video_without_pictures_has_an_empty_memory(store: MemoryStore, precision: TokenPrecision) -> None:
    memory = _make_memory()
    store.finish(0, memory, precision)
    assert store.load("model@1").lanes == {"global": [], "novelty": []}
