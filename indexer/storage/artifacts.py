"""What was computed for an asset: checkpoints and, once all are there, a manifest. The source of truth.

One asset of one version lives under `artifacts/<asset_id>/<version>/`. A checkpoint (60 s of video, or a page) is three
blobs: `00012.jpegs` (its key frames, one after the other), `00012.safetensors` (its embeddings) and `00012.json` (its
segments, and the checksums of the other two). The JSON is written last and makes the checkpoint; the manifest is
written last of all and makes the asset.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from indexer.errors import ArtifactError
from indexer.ports import BlobStore
from indexer.types import Lane, MediaInfo, PictureRef, Segment, Vectors

SCHEMA_VERSION = 1
_T = TypeVar("_T")
_ROOT_PREFIX = "artifacts"
_FORMER_NAMES = {"looked_at": "sampled_frames", "sees": "has_video", "hears": "has_audio"}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The result of one stretch of an asset, complete in itself.

    `segments` are in order, with ordinals local to the checkpoint; `pictures[i]` is a JPEG, and `picture_of[j]` the
    index of the one that segment j is seen in (-1: none). `rows[lane]` says which segments the rows of
    `vectors[lane]` embed. `signatures` hold the look of the first and the last key frame, to join what a checkpoint
    cut in two (`indexer.pipeline.stitching`). `frames[i]` counts the looked-at frames that the i-th picture of a video stands
    for; `tokens` are its visual tokens, `[pictures, positions, width]`, which a memory takes: they are not stored here.
    """

    number: int
    end_s: float | None
    sampled_frames: int
    segments: tuple[Segment, ...]
    pictures: tuple[bytes, ...]
    picture_of: tuple[int, ...]
    rows: dict[Lane, NDArray[np.int64]]
    vectors: dict[Lane, Vectors]
    signatures: tuple[bytes, ...] = ()
    frames: tuple[int, ...] = ()
    tokens: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class CheckpointRecord:
    """A stored checkpoint without its vectors and pictures; segments point to their pictures.

    `frames` is empty in checkpoints of before it was counted.
    """

    number: int
    end_s: float | None
    sampled_frames: int
    segments: tuple[Segment, ...]
    rows: dict[Lane, tuple[int, ...]]
    signatures: tuple[bytes, ...]
    tensors_sha: str
    pictures_sha: str
    frames: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an asset's artifacts are, and that they are complete.

    `models` names what made them (lanes, readers); `sampled_frames` counts the frames that were sampled, `end_s` is the
    true end of a video's pictures; `checkpoints` are the checksums of the checkpoint files, in order.
    """

    schema: int
    asset_id: str
    version: str
    info: MediaInfo
    models: dict[str, str]
    sampled_frames: int
    end_s: float | None
    segments: int
    checkpoints: tuple[str, ...]
    warnings: tuple[str, ...] = field(default=())


class ArtifactStore:
    """All assets' artifacts in one blob store."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def open_draft(self, asset_id: str, version: str) -> ArtifactDraft:
        """Where an asset's checkpoints are written, new or begun before."""
        return ArtifactDraft(self._blobs, asset_id, version)

    def read_manifest(self, asset_id: str, version: str) -> Manifest:
        """The manifest of a complete asset. ArtifactError where there is none, or it is damaged."""
        return _decode(self._blobs.get(_manifest_key(asset_id, version)), Manifest, _manifest_key(asset_id, version))

    def is_complete(self, asset_id: str, version: str) -> bool:
        """Whether the asset has a manifest in this version."""
        return _manifest_key(asset_id, version) in self._blobs.list_keys(_version_prefix(asset_id, version))

    def read_checkpoints(self, manifest: Manifest) -> Iterator[tuple[CheckpointRecord, dict[Lane, Vectors]]]:
        """The asset's checkpoints in order, with their vectors, each checked against its checksum."""
        for number in range(len(manifest.checkpoints)):
            record = self.read_checkpoint_record(manifest, number)
            yield record, _read_vectors(self._blobs, manifest.asset_id, manifest.version, record)

    def read_checkpoint_record(self, manifest: Manifest, number: int) -> CheckpointRecord:
        """One checkpoint (from 0), without its vectors. ArtifactError where it is damaged, or there is none."""
        key = _checkpoint_key(manifest.asset_id, manifest.version, number, "json")
        data = self._blobs.get(key)
        _verify_checksum(data, manifest.checkpoints[number] if number < len(manifest.checkpoints) else "", key)
        return _decode(data, CheckpointRecord, key)

    def verified_checkpoints(self, manifest: Manifest) -> int:
        """How many of the leading checkpoints are those that were there when the manifest was written."""
        for number in range(len(manifest.checkpoints)):
            try:
                self.read_checkpoint_record(manifest, number)
            except ArtifactError:
                return number
        return len(manifest.checkpoints)

    def read_picture(self, ref: PictureRef) -> bytes:
        """A stored key frame or page picture, as JPEG bytes."""
        return self._blobs.get(ref.key, ref.offset, ref.length)

    def version_prefix(self, asset_id: str, version: str) -> str:
        """The prefix of all that one version of an asset has stored; what others keep of it lies below, too."""
        return _version_prefix(asset_id, version)

    def list_versions(self, asset_id: str) -> list[str]:
        """The versions of an asset that have anything stored, complete or not."""
        prefix = f"{_ROOT_PREFIX}/{asset_id}/"
        return sorted({name[len(prefix) :].split("/")[0] for name in self._blobs.list_keys(prefix)})

    def list_assets(self) -> list[str]:
        """The assets that have anything stored."""
        return sorted({name.split("/")[1] for name in self._blobs.list_keys(_ROOT_PREFIX)})

    def delete(self, asset_id: str, version: str | None = None) -> int:
        """Remove an asset, or one version of it; gives the number of files removed."""
        return self._blobs.delete_prefix(
            f"{_ROOT_PREFIX}/{asset_id}" if version is None else _version_prefix(asset_id, version)
        )


class ArtifactDraft:
    """The checkpoints of an asset that is being indexed; begun work is found again and continued."""

    def __init__(self, blobs: BlobStore, asset_id: str, version: str) -> None:
        self._blobs, self._asset_id, self._version = blobs, asset_id, version
        self._checksums: list[str] = []
        self.sampled_frames = 0
        self.segment_count = 0

    def resume(self, max_checkpoints: int | None = None) -> int:
        """Count the leading checkpoints that are whole, `at_most` so many; the next one is where work goes on."""
        self._checksums, self.sampled_frames, self.segment_count = [], 0, 0
        names = set(self._blobs.list_keys(_version_prefix(self._asset_id, self._version)))
        while (
            len(self._checksums) != max_checkpoints
            and (key := self._checkpoint_key(len(self._checksums), "json")) in names
        ):
            data = self._blobs.get(key)
            try:
                record = _decode(data, CheckpointRecord, key)
                _read_vectors(self._blobs, self._asset_id, self._version, record)
                _verify_checksum(
                    self._blobs.get(self._checkpoint_key(record.number, "jpegs")), record.pictures_sha, key
                )
            except ArtifactError:
                break
            self._add_to_totals(record, data)
        return len(self._checksums)

    def commit(self, checkpoint: Checkpoint) -> None:
        """Store the next checkpoint: all of it, or nothing."""
        pictures = b"".join(checkpoint.pictures)
        tensors = save_tensors({lane.value: values for lane, values in checkpoint.vectors.items()})
        record = CheckpointRecord(
            number=checkpoint.number,
            end_s=checkpoint.end_s,
            sampled_frames=checkpoint.sampled_frames,
            segments=self._link_pictures(checkpoint),
            rows={lane: tuple(rows.tolist()) for lane, rows in checkpoint.rows.items()},
            signatures=checkpoint.signatures,
            tensors_sha=_sha256_hex(tensors),
            pictures_sha=_sha256_hex(pictures),
            frames=checkpoint.frames,
        )
        data = msgspec.json.encode(record)
        self._blobs.put(self._checkpoint_key(checkpoint.number, "jpegs"), pictures)
        self._blobs.put(self._checkpoint_key(checkpoint.number, "safetensors"), tensors)
        self._blobs.put(self._checkpoint_key(checkpoint.number, "json"), data)
        self._add_to_totals(record, data)

    def finish(
        self, info: MediaInfo, models: dict[str, str], end_s: float | None, warnings: tuple[str, ...]
    ) -> Manifest:
        """Write the manifest: from here on the asset is complete."""
        manifest = Manifest(
            schema=SCHEMA_VERSION,
            asset_id=self._asset_id,
            version=self._version,
            info=info,
            models=models,
            sampled_frames=self.sampled_frames,
            end_s=end_s,
            segments=self.segment_count,
            checkpoints=tuple(self._checksums),
            warnings=warnings,
        )
        self._blobs.put(_manifest_key(self._asset_id, self._version), msgspec.json.encode(manifest))
        return manifest

    def _link_pictures(self, checkpoint: Checkpoint) -> tuple[Segment, ...]:
        key = self._checkpoint_key(checkpoint.number, "jpegs")
        ends = np.cumsum([0, *(len(picture) for picture in checkpoint.pictures)]).tolist()
        refs = [PictureRef(key, start, end - start) for start, end in pairwise(ends)]
        pairs = zip(checkpoint.segments, checkpoint.picture_of, strict=True)
        return tuple(replace(segment, picture=refs[i] if i >= 0 else None) for segment, i in pairs)

    def _add_to_totals(self, record: CheckpointRecord, data: bytes) -> None:
        self._checksums.append(_sha256_hex(data))
        self.sampled_frames += record.sampled_frames
        self.segment_count += len(record.segments)

    def _checkpoint_key(self, number: int, suffix: str) -> str:
        return _checkpoint_key(self._asset_id, self._version, number, suffix)


def _read_vectors(blobs: BlobStore, asset_id: str, version: str, record: CheckpointRecord) -> dict[Lane, Vectors]:
    key = _checkpoint_key(asset_id, version, record.number, "safetensors")
    data = blobs.get(key)
    _verify_checksum(data, record.tensors_sha, key)
    try:
        return {Lane(name): values for name, values in load_tensors(data).items()}
    except SafetensorError as error:
        raise ArtifactError(f"{key}: damaged ({error})") from error


def _decode(data: bytes, kind: type[_T], key: str) -> _T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        try:
            return msgspec.convert(_with_current_names(msgspec.json.decode(data, type=dict[str, Any])), kind)
        except msgspec.MsgspecError:
            raise ArtifactError(f"{key}: damaged ({error}); index its source again") from error


def _with_current_names(stored: dict[str, Any]) -> dict[str, Any]:
    """Rename the fields that artifacts written before 2026-11-29 hold under other names.

    The files stay as they are, since a manifest holds the checksums of its checkpoints. `sampled_frames` has no default,
    so that a file with the old names never decodes as a new one by mistake.
    """
    renamed = {_FORMER_NAMES.get(name, name): value for name, value in stored.items()}
    if isinstance(info := renamed.get("info"), dict):
        renamed["info"] = {_FORMER_NAMES.get(name, name): value for name, value in info.items()}
    return renamed


def _verify_checksum(data: bytes, sha: str, key: str) -> None:
    if _sha256_hex(data) != sha:
        raise ArtifactError(f"{key}: does not match its checksum; index its source again")


def _sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _version_prefix(asset_id: str, version: str) -> str:
    return f"{_ROOT_PREFIX}/{asset_id}/{version}"


def _checkpoint_key(asset_id: str, version: str, number: int, suffix: str) -> str:
    return f"{_version_prefix(asset_id, version)}/{number:05d}.{suffix}"


def _manifest_key(asset_id: str, version: str) -> str:
    return f"{_version_prefix(asset_id, version)}/manifest.json"
