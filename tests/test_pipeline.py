"""The pipeline and the memory it feeds: whatever write a run dies before, the next one ends where it would have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from tiny_clip import make_tiny_clip

from benchmarks.workload import make_film
from indexer.artifacts import ArtifactStore, CheckpointRecord, Manifest
from indexer.blobs.folder import FolderBlobs
from indexer.encoders.open_clip import OpenClipEncoder
from indexer.encoders.patches import PatchTokenEncoder
from indexer.errors import StorageFull
from indexer.media.process import SandboxedDecoder
from indexer.passes.again import reencode_checkpoint
from indexer.passes.tools import IndexingSettings, ModelSet
from indexer.pipeline import IndexSource, Pipeline
from indexer.types import Origin
from memory.sink import MemorySink
from memory.store import MemoryStore, StoredMemory
from memory.types import Node

SETTINGS = IndexingSettings(checkpoint_s=13.0, encode_workers=2)
ASSET = "ab" * 32


@dataclass(frozen=True, slots=True)
class Bench:
    """A film, and the models to index it with."""

    film: Path
    media: SandboxedDecoder
    models: ModelSet

    def pipeline(self, blobs: FolderBlobs, models: ModelSet | None = None) -> Pipeline:
        artifacts, models = ArtifactStore(blobs), models or self.models
        tokens = models.token_encoder
        if tokens is None:
            return Pipeline(self.media, artifacts, models, SETTINGS)
        return Pipeline(
            self.media,
            artifacts,
            models,
            SETTINGS,
            lambda asset_id, version: MemorySink(
                MemoryStore(blobs, artifacts.version_prefix(asset_id, version)), tokens
            ),
        )

    def run(self, blobs: FolderBlobs, models: ModelSet | None = None) -> Manifest:
        return self.pipeline(blobs, models).run(IndexSource(self.film, ASSET, self.media.probe(self.film)))


@dataclass(slots=True)
class _Dying(FolderBlobs):
    """Dies before one of its writes."""

    _root: Path
    left: int
    keys: list[str] = field(default_factory=list)

    def put(self, key: str, data: bytes) -> None:
        if not self.left:
            raise StorageFull("the power is gone")
        self.left -= 1
        self.keys.append(key)
        FolderBlobs.put(self, key, data)


def _models(folder: Path, seed: int) -> ModelSet:
    encoder = OpenClipEncoder(f"local-dir:{make_tiny_clip(folder, seed)}", device="cpu", batch_size=4)
    return ModelSet(visual=encoder, token_encoder=PatchTokenEncoder(encoder))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("pipeline")
    make_film(folder / "film.mp4", 39, 320, 180, 5, 2)
    with SandboxedDecoder() as media:
        yield Bench(folder / "film.mp4", media, _models(folder / "clip", 0))


@pytest.fixture(scope="module")
def whole(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> tuple[FolderBlobs, Manifest]:
    blobs = FolderBlobs(tmp_path_factory.mktemp("undisturbed"))
    return blobs, bench.run(blobs)


def _memory(blobs: FolderBlobs, manifest: Manifest) -> StoredMemory:
    return _store(blobs, manifest).load(manifest.models["memory"])


def _store(blobs: FolderBlobs, manifest: Manifest) -> MemoryStore:
    return MemoryStore(blobs, ArtifactStore(blobs).version_prefix(ASSET, manifest.version))


def _frames(blobs: FolderBlobs, manifest: Manifest) -> list[Node]:
    """The nodes of the key frames, in order."""
    nodes = _store(blobs, manifest).merge_tree("global").values()
    return sorted((node for node in nodes if node.children is None), key=lambda node: node.start_s)


def _records(blobs: FolderBlobs, manifest: Manifest) -> list[CheckpointRecord]:
    return [record for record, _ in ArtifactStore(blobs).read_checkpoints(manifest)]


def _check_same(found: StoredMemory, expected: StoredMemory) -> None:
    for name, slots in expected.lanes.items():
        assert [slot.node for slot in found.lanes[name]] == [slot.node for slot in slots]
        for one, other in zip(found.lanes[name], slots, strict=True):
            np.testing.assert_allclose(one.tokens, other.tokens, atol=1e-5)


def test_the_memory_covers_the_video_and_counts_every_frame_that_was_looked_at(
    whole: tuple[FolderBlobs, Manifest],
) -> None:
    blobs, manifest = whole
    assert manifest.sampled_frames == 39
    for slots in _memory(blobs, manifest).lanes.values():
        nodes = [slot.node for slot in slots]
        assert [node.start_s for node in nodes] == [0.0, *(node.end_s for node in nodes[:-1])]
        assert nodes[-1].end_s == manifest.end_s
        assert sum(node.weight for node in nodes) == manifest.sampled_frames


def test_each_moment_is_a_picture_segment_and_its_frames(whole: tuple[FolderBlobs, Manifest]) -> None:
    blobs, manifest = whole
    records = _records(blobs, manifest)
    pictures = [segment for record in records for segment in record.segments if segment.origin is Origin.PICTURE]
    frames = _frames(blobs, manifest)
    assert [node.medoid_s for node in frames] == [picture.start_s for picture in pictures]
    assert [node.weight for node in frames] == [count for record in records for count in record.frames]
    assert [sum(record.frames) for record in records] == [record.sampled_frames for record in records]
    assert max(node.weight for node in frames) > 1


@pytest.mark.slow
def test_a_run_that_dies_before_any_of_its_writes_is_gone_on_with_to_the_same_memory(
    bench: Bench, whole: tuple[FolderBlobs, Manifest], tmp_path: Path
) -> None:
    expected = _memory(*whole)
    writes = _Dying(tmp_path / "all", 10**6)
    bench.run(writes)
    assert [key for key in writes.keys if key.endswith("global.bank.00")]
    assert len(writes.keys) > 3 * 5 + 3
    for count in range(len(writes.keys)):
        home = tmp_path / str(count)
        with pytest.raises(StorageFull):
            bench.run(_Dying(home, count))
        blobs = _Dying(home, 10**6)
        manifest = bench.run(blobs)
        _check_same(_memory(blobs, manifest), expected)
        made_again = set(blobs.keys) & set(writes.keys[:count])
        assert not [key for key in made_again if Path(key).stem.isdigit() and key.endswith(".json")], count
        assert list(FolderBlobs(home).list_keys("")) == list(whole[0].list_keys(""))


def test_a_damaged_state_costs_one_checkpoint(
    bench: Bench, whole: tuple[FolderBlobs, Manifest], tmp_path: Path
) -> None:
    with pytest.raises(StorageFull):
        bench.run(_Dying(tmp_path, 2 * 5))
    (state,) = tmp_path.glob("artifacts/*/*/memory/after/1/ring")
    state.write_bytes(b"damaged")
    blobs = _Dying(tmp_path, 10**6)
    manifest = bench.run(blobs)
    _check_same(_memory(blobs, manifest), _memory(*whole))
    assert [key.rsplit("/", 1)[1] for key in blobs.keys if key.endswith(".jpegs")] == ["00001.jpegs", "00002.jpegs"]


def test_another_model_makes_the_memory_anew_from_the_stored_pictures(
    bench: Bench, whole: tuple[FolderBlobs, Manifest], tmp_path: Path
) -> None:
    blobs, manifest = whole
    other = _models(tmp_path / "other", 1)
    again = bench.pipeline(blobs, other).reencode(manifest)
    assert again.models["memory"] != manifest.models["memory"]
    assert again.version.split("-")[0] == manifest.version.split("-")[0]
    assert _frames(blobs, again) == _frames(blobs, manifest)
    made, seen = _memory(blobs, again), _memory(*whole)
    assert made.manifest.model == again.models["memory"]
    assert not np.allclose(made.lanes["global"][0].tokens, seen.lanes["global"][0].tokens, atol=1e-2)


def test_a_video_that_was_indexed_without_a_memory_gets_one_with_the_weights_that_were_counted(
    bench: Bench, whole: tuple[FolderBlobs, Manifest], tmp_path: Path
) -> None:
    blobs = FolderBlobs(tmp_path)
    without = bench.run(blobs, replace(bench.models, token_encoder=None))
    assert "memory" not in without.models
    assert not [name for name in blobs.list_keys("") if "/memory/" in name]
    again = bench.pipeline(blobs).reencode(without)
    assert _frames(blobs, again) == _frames(*whole)


def test_a_dying_reencoding_is_gone_on_with(bench: Bench, whole: tuple[FolderBlobs, Manifest], tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    without = bench.run(blobs, replace(bench.models, token_encoder=None))
    expected = None
    for count in (*range(0, 36, 3), 10**6):
        again = _Dying(tmp_path, count)
        try:
            manifest = bench.pipeline(again).reencode(without)
        except StorageFull:
            manifest = bench.pipeline(blobs).reencode(without)
        found = _memory(blobs, manifest)
        _check_same(found, expected or found)
        expected = expected or found
        ArtifactStore(blobs).delete(ASSET, manifest.version)


def test_frames_that_nobody_counted_are_reckoned_from_the_spans(
    bench: Bench, whole: tuple[FolderBlobs, Manifest]
) -> None:
    blobs, manifest = whole
    for record in _records(blobs, manifest):
        again = reencode_checkpoint(replace(record, frames=()), ArtifactStore(blobs), bench.models, SETTINGS.fps)
        assert again.frames == record.frames
