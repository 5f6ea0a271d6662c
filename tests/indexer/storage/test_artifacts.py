"""Artifacts: a checkpoint is there or not, and damage is noticed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from indexer.errors import ArtifactError
from indexer.storage.artifacts import ArtifactStore, Checkpoint
from indexer.storage.folder_blobs import FolderBlobs
from indexer.types import AssetKind, Box, Lane, LineSpan, MediaInfo, Origin, Segment

ASSET, VERSION = "ab" * 32, "v1"


def _checkpoint(number: int) -> Checkpoint:
    picture = Segment(0, Origin.PICTURE, start_s=60.0 * number, end_s=60.0 * number + 60)
    line = LineSpan(0, 5, Box(0.1, 0.2, 0.3, 0.4))
    text = Segment(1, Origin.OCR, start_s=60.0 * number, end_s=60.0 * number + 9, text="words", lines=(line,))
    return Checkpoint(
        number=number,
        end_s=60.0 * number + 60,
        sampled_frames=60,
        segments=(picture, text),
        pictures=(b"jpeg %d" % number,),
        picture_of=(0, 0),
        rows={Lane.VISUAL: np.array([0]), Lane.TEXT: np.array([1])},
        vectors={lane: np.full((1, 4), number, np.float32) for lane in (Lane.VISUAL, Lane.TEXT)},
        signatures=(b"look", b"look"),
    )


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path)


def _finish_artifacts(blobs: FolderBlobs, checkpoints: int = 2) -> ArtifactStore:
    draft = ArtifactStore(blobs).open_draft(ASSET, VERSION)
    for number in range(checkpoints):
        draft.commit(_checkpoint(number))
    draft.finish(MediaInfo(AssetKind.VIDEO, "mp4"), {"text": "a model"}, 120.0, ("a warning",))
    return ArtifactStore(blobs)


def test_what_was_committed_comes_back(blobs: FolderBlobs) -> None:
    artifacts = _finish_artifacts(blobs)
    manifest = artifacts.read_manifest(ASSET, VERSION)
    assert (manifest.segments, manifest.sampled_frames, manifest.end_s) == (4, 120, 120.0)
    assert manifest.warnings == ("a warning",)
    (_, _), (record, vectors) = artifacts.read_checkpoints(manifest)
    assert record.segments[1].lines == _checkpoint(1).segments[1].lines
    assert vectors[Lane.VISUAL].tolist() == [[1, 1, 1, 1]]
    picture = record.segments[1].picture
    assert picture is not None
    assert artifacts.read_picture(picture) == b"jpeg 1"


def test_work_goes_on_after_the_last_whole_checkpoint(blobs: FolderBlobs, tmp_path: Path) -> None:
    draft = ArtifactStore(blobs).open_draft(ASSET, VERSION)
    for number in range(3):
        draft.commit(_checkpoint(number))
    (tmp_path / "artifacts" / ASSET / VERSION / "00002.json").unlink()
    again = ArtifactStore(blobs).open_draft(ASSET, VERSION)
    assert again.resume() == 2
    assert (again.sampled_frames, again.segment_count) == (120, 4)


@pytest.mark.parametrize("suffix", ["jpegs", "safetensors", "json"])
def test_a_damaged_checkpoint_is_made_again(blobs: FolderBlobs, tmp_path: Path, suffix: str) -> None:
    draft = ArtifactStore(blobs).open_draft(ASSET, VERSION)
    for number in range(2):
        draft.commit(_checkpoint(number))
    path = tmp_path / "artifacts" / ASSET / VERSION / f"00001.{suffix}"
    path.write_bytes(path.read_bytes()[:-1])
    assert ArtifactStore(blobs).open_draft(ASSET, VERSION).resume() == 1


@pytest.mark.parametrize("name", ["00001.safetensors", "00001.json"])
def test_damage_in_a_complete_asset_is_told(blobs: FolderBlobs, tmp_path: Path, name: str) -> None:
    artifacts = _finish_artifacts(blobs)
    path = tmp_path / "artifacts" / ASSET / VERSION / name
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    with pytest.raises(ArtifactError, match="00001"):
        list(artifacts.read_checkpoints(artifacts.read_manifest(ASSET, VERSION)))


def test_nothing_is_complete_without_a_manifest(blobs: FolderBlobs) -> None:
    artifacts = ArtifactStore(blobs)
    artifacts.open_draft(ASSET, VERSION).commit(_checkpoint(0))
    assert not artifacts.is_complete(ASSET, VERSION)
    with pytest.raises(ArtifactError):
        artifacts.read_manifest(ASSET, VERSION)


def test_one_version_is_deleted_without_the_other(blobs: FolderBlobs) -> None:
    artifacts = _finish_artifacts(blobs)
    other = artifacts.open_draft(ASSET, "v2")
    other.commit(_checkpoint(0))
    assert artifacts.list_versions(ASSET) == ["v1", "v2"]
    assert artifacts.delete(ASSET, "v2") == 3
    assert artifacts.list_versions(ASSET) == ["v1"]
    assert artifacts.delete(ASSET) == 7
    assert artifacts.list_assets() == []


def test_a_segment_of_before_contexts_is_read_without_one() -> None:
    segment = Segment(3, Origin.PAGE, page=2, text="Kentucky | 4,210", context="Checks in November")
    stored = msgspec.json.decode(msgspec.json.encode(segment))
    assert msgspec.convert(stored, Segment) == segment
    del stored["context"]
    assert msgspec.convert(stored, Segment) == replace(segment, context="")
