"""The pipeline and the memory it feeds: whatever write a run dies before, the next one ends where it would have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from indexer.encoders.open_clip import OpenClipEncoder
from indexer.encoders.patches import PatchTokenEncoder
from indexer.errors import StorageFull
from indexer.media.sandbox.client import SandboxedDecoder
from indexer.pipeline.encoding import IndexingSettings, ModelSet
from indexer.pipeline.pipeline import IndexSource, Pipeline
from indexer.pipeline.reencode import reencode_checkpoint
from indexer.storage.artifacts import ArtifactStore, CheckpointRecord, Manifest
from indexer.storage.folder_blobs import FolderBlobs
from indexer.types import Origin
from memory.sink import MemorySink
from memory.store import MemoryStore, StoredMemory
from memory.types import Node
from tests.support.synthetic_workload import make_film
from tests.support.tiny_clip import make_tiny_clip

SETTINGS = IndexingSettings(checkpoint_s=13.0, encode_workers=2)
ASSET = "ab" * 32


@dataclass(frozen=True, slots=True)
class IndexingSetup:
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
class _DyingBlobs(FolderBlobs):
    """Dies before one of its writes."""

    _root: Path
    writes_left: int
    written_keys: list[str] = field(default_factory=list)

    def put(self, key: str, data: bytes) -> None:
        if not self.writes_left:
            raise StorageFull("the power is gone")
        self.writes_left -= 1
        self.written_keys.append(key)
        FolderBlobs.put(self, key, data)


def _make_models(folder: Path, seed: int) -> ModelSet:
    encoder = OpenClipEncoder(f"local-dir:{make_tiny_clip(folder, seed)}", device="cpu", batch_size=4)
    return ModelSet(visual=encoder, token_encoder=PatchTokenEncoder(encoder))


@pytest.fixture(scope="module")
def indexing_setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexingSetup]:
    folder = tmp_path_factory.mktemp("pipeline")
    make_film(folder / "film.mp4", 39, 320, 180, 5, 2)
    with SandboxedDecoder() as media:
        yield IndexingSetup(folder / "film.mp4", media, _make_models(folder / "clip", 0))


@pytest.fixture(scope="module")
def uninterrupted(
    indexing_setup: IndexingSetup, tmp_path_factory: pytest.TempPathFactory
) -> tuple[FolderBlobs, Manifest]:
    blobs = FolderBlobs(tmp_path_factory.mktemp("undisturbed"))
    return blobs, indexing_setup.run(blobs)


def _load_memory(blobs: FolderBlobs, manifest: Manifest) -> StoredMemory:
    return _memory_store(blobs, manifest).load(manifest.models["memory"])


def _memory_store(blobs: FolderBlobs, manifest: Manifest) -> MemoryStore:
    return MemoryStore(blobs, ArtifactStore(blobs).version_prefix(ASSET, manifest.version))


def _frame_nodes(blobs: FolderBlobs, manifest: Manifest) -> list[Node]:
    """The nodes of the key frames, in order."""
    nodes = _memory_store(blobs, manifest).merge_tree("global").values()
    return sorted((node for node in nodes if node.children is None), key=lambda node: node.start_s)


def _records(blobs: FolderBlobs, manifest: Manifest) -> list[CheckpointRecord]:
    return [record for record, _ in ArtifactStore(blobs).read_checkpoints(manifest)]


def _check_equal(actual: StoredMemory, expected: StoredMemory) -> None:
    for name, slots in expected.lanes.items():
        assert [slot.node for slot in actual.lanes[name]] == [slot.node for slot in slots]
        for one, other in zip(actual.lanes[name], slots, strict=True):
            np.testing.assert_allclose(one.tokens, other.tokens, atol=1e-5)


def test_the_memory_covers_the_video_and_counts_every_frame_that_was_looked_at(
    uninterrupted: tuple[FolderBlobs, Manifest],
) -> None:
    blobs, manifest = uninterrupted
    assert manifest.sampled_frames == 39
    for slots in _load_memory(blobs, manifest).lanes.values():
        nodes = [slot.node for slot in slots]
        assert [node.start_s for node in nodes] == [0.0, *(node.end_s for node in nodes[:-1])]
        assert nodes[-1].end_s == manifest.end_s
        assert sum(node.weight for node in nodes) == manifest.sampled_frames


def test_each_moment_is_a_picture_segment_and_its_frames(uninterrupted: tuple[FolderBlobs, Manifest]) -> None:
    blobs, manifest = uninterrupted
    records = _records(blobs, manifest)
    pictures = [segment for record in records for segment in record.segments if segment.origin is Origin.PICTURE]
    frames = _frame_nodes(blobs, manifest)
    assert [node.medoid_s for node in frames] == [picture.start_s for picture in pictures]
    assert [node.weight for node in frames] == [count for record in records for count in record.frames]
    assert [sum(record.frames) for record in records] == [record.sampled_frames for record in records]
    assert max(node.weight for node in frames) > 1


@pytest.mark.slow
def test_a_run_that_dies_before_any_of_its_writes_is_gone_on_with_to_the_same_memory(
    indexing_setup: IndexingSetup, uninterrupted: tuple[FolderBlobs, Manifest], tmp_path: Path
) -> None:
    expected = _load_memory(*uninterrupted)
    writes = _DyingBlobs(tmp_path / "all", 10**6)
    indexing_setup.run(writes)
    assert [key for key in writes.written_keys if key.endswith("global.bank.00")]
    assert len(writes.written_keys) > 3 * 5 + 3
    for count in range(len(writes.written_keys)):
        home = tmp_path / str(count)
        with pytest.raises(StorageFull):
            indexing_setup.run(_DyingBlobs(home, count))
        blobs = _DyingBlobs(home, 10**6)
        manifest = indexing_setup.run(blobs)
        _check_equal(_load_memory(blobs, manifest), expected)
        made_again = set(blobs.written_keys) & set(writes.written_keys[:count])
        assert not [key for key in made_again if Path(key).stem.isdigit() and key.endswith(".json")], count
        assert list(FolderBlobs(home).list_keys("")) == list(uninterrupted[0].list_keys(""))


def test_a_damaged_state_costs_one_checkpoint(
    indexing_setup: IndexingSetup, uninterrupted: tuple[FolderBlobs, Manifest], tmp_path: Path
) -> None:
    with pytest.raises(StorageFull):
        indexing_setup.run(_DyingBlobs(tmp_path, 2 * 5))
    (state,) = tmp_path.glob("artifacts/*/*/memory/after/1/ring")
    state.write_bytes(b"damaged")
    blobs = _DyingBlobs(tmp_path, 10**6)
    manifest = indexing_setup.run(blobs)
    _check_equal(_load_memory(blobs, manifest), _load_memory(*uninterrupted))
    assert [key.rsplit("/", 1)[1] for key in blobs.written_keys if key.endswith(".jpegs")] == [
        "00001.jpegs",
        "00002.jpegs",
    ]


def test_another_model_makes_the_memory_anew_from_the_stored_pictures(
    indexing_setup: IndexingSetup, uninterrupted: tuple[FolderBlobs, Manifest], tmp_path: Path
) -> None:
    blobs, manifest = uninterrupted
    other = _make_models(tmp_path / "other", 1)
    reencoded = indexing_setup.pipeline(blobs, other).reencode(manifest)
    assert reencoded.models["memory"] != manifest.models["memory"]
    assert reencoded.version.split("-")[0] == manifest.version.split("-")[0]
    assert _frame_nodes(blobs, reencoded) == _frame_nodes(blobs, manifest)
    made, seen = _load_memory(blobs, reencoded), _load_memory(*uninterrupted)
    assert made.manifest.model == reencoded.models["memory"]
    assert not np.allclose(made.lanes["global"][0].tokens, seen.lanes["global"][0].tokens, atol=1e-2)


def test_a_video_that_was_indexed_without_a_memory_gets_one_with_the_weights_that_were_counted(
    indexing_setup: IndexingSetup, uninterrupted: tuple[FolderBlobs, Manifest], tmp_path: Path
) -> None:
    blobs = FolderBlobs(tmp_path)
    without = indexing_setup.run(blobs, replace(indexing_setup.models, token_encoder=None))
    assert "memory" not in without.models
    assert not [name for name in blobs.list_keys("") if "/memory/" in name]
    again = indexing_setup.pipeline(blobs).reencode(without)
    assert _frame_nodes(blobs, again) == _frame_nodes(*uninterrupted)


def test_a_dying_reencoding_is_gone_on_with(
    indexing_setup: IndexingSetup, uninterrupted: tuple[FolderBlobs, Manifest], tmp_path: Path
) -> None:
    blobs = FolderBlobs(tmp_path)
    without = indexing_setup.run(blobs, replace(indexing_setup.models, token_encoder=None))
    expected = None
    for count in (*range(0, 36, 7), 10**6):
        again = _DyingBlobs(tmp_path, count)
        try:
            manifest = indexing_setup.pipeline(again).reencode(without)
        except StorageFull:
            manifest = indexing_setup.pipeline(blobs).reencode(without)
        found = _load_memory(blobs, manifest)
        _check_equal(found, expected or found)
        expected = expected or found
        ArtifactStore(blobs).delete(ASSET, manifest.version)


def test_frames_that_nobody_counted_are_reckoned_from_the_spans(
    indexing_setup: IndexingSetup, uninterrupted: tuple[FolderBlobs, Manifest]
) -> None:
    blobs, manifest = uninterrupted
    for record in _records(blobs, manifest):
        again = reencode_checkpoint(
            replace(record, frames=()), ArtifactStore(blobs), indexing_setup.models, SETTINGS.fps
        )
        assert again.frames == record.frames
