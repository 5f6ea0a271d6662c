"""Artifact store: an asset's checkpoints and, once all are committed, its manifest. It is the source of truth.

A version of an asset is stored under `artifacts/<asset_id>/<version>/`. A checkpoint (60 s of video, or a page) is
three blobs: `00012.jpegs` (its key frames, concatenated), `00012.safetensors` (its embeddings) and `00012.json` (its
segments and the checksums of the other two). The JSON is written last and commits the checkpoint; the manifest is
written after all checkpoints and completes the asset.
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
from indexer.types import Box, Lane, MediaInfo, PictureRef, Segment, Vectors

SCHEMA_VERSION = 1
_T = TypeVar("_T")
_ROOT_PREFIX = "artifacts"
_FORMER_NAMES = {"looked_at": "sampled_frames", "sees": "has_video", "hears": "has_audio"}
"""Fields by the names that artifacts written before 2026-11-29 have."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Self-contained part of an asset's artifacts: 60 s of a video, a page, or an image.

    `segments` are in order, with ordinals local to the checkpoint. `pictures[i]` is a JPEG, and `picture_of[j]` the
    index of the one that shows segment j (-1: none). `rows[lane]` are the segments that the rows of `vectors[lane]`
    embed. `signatures` are those of the first and the last key frame, for `indexer.pipeline.stitching`. `frames[i]`
    counts the sampled frames that picture i of a video stands for. `tokens` are visual tokens for the video memory,
    `[pictures, positions, width]`; they are not stored here. `picture_regions[i]` is the part of the whole picture that
    picture i shows (None: all of it); empty where none is a part.
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
    picture_regions: tuple[Box | None, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckpointRecord:
    """Stored checkpoint without its vectors and pictures; segments refer to their pictures.

    `frames` is empty in checkpoints written before frames were counted (decision 0024).
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
    """Manifest of a complete version of an asset.

    `models` maps lanes and readers to model ids; `sampled_frames` counts the frames that were sampled; `end_s` is the
    decoded end of a video; `checkpoints` are the SHA-256 checksums of the checkpoints' JSON files, in order.
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
    """Store of all assets' artifacts in one blob store."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def open_draft(self, asset_id: str, version: str) -> ArtifactDraft:
        """Open a writer of an asset's checkpoints, new or interrupted before."""
        return ArtifactDraft(self._blobs, asset_id, version)

    def read_manifest(self, asset_id: str, version: str) -> Manifest:
        """Return the manifest of a complete asset. Errors: ArtifactError where it is missing or damaged."""
        return _decode(self._blobs.get(_manifest_key(asset_id, version)), Manifest, _manifest_key(asset_id, version))

    def is_complete(self, asset_id: str, version: str) -> bool:
        """Return True if the asset has a manifest in this version."""
        return _manifest_key(asset_id, version) in self._blobs.list_keys(_version_prefix(asset_id, version))

    def read_checkpoints(self, manifest: Manifest) -> Iterator[tuple[CheckpointRecord, dict[Lane, Vectors]]]:
        """Yield an asset's checkpoints in order, with their vectors, verified by checksum. Errors: ArtifactError."""
        for number in range(len(manifest.checkpoints)):
            record = self.read_checkpoint_record(manifest, number)
            yield record, _read_vectors(self._blobs, manifest.asset_id, manifest.version, record)

    def read_checkpoint_record(self, manifest: Manifest, number: int) -> CheckpointRecord:
        """Return checkpoint `number` (from 0) without its vectors. Errors: ArtifactError where missing or damaged."""
        key = _checkpoint_key(manifest.asset_id, manifest.version, number, "json")
        data = self._blobs.get(key)
        _verify_checksum(data, manifest.checkpoints[number] if number < len(manifest.checkpoints) else "", key)
        return _decode(data, CheckpointRecord, key)

    def verified_checkpoints(self, manifest: Manifest) -> int:
        """Count the leading checkpoints whose JSON files match the manifest."""
        for number in range(len(manifest.checkpoints)):
            try:
                self.read_checkpoint_record(manifest, number)
            except ArtifactError:
                return number
        return len(manifest.checkpoints)

    def read_picture(self, ref: PictureRef) -> bytes:
        """Return a stored key frame or page picture as JPEG bytes."""
        return self._blobs.get(ref.key, ref.offset, ref.length)

    def version_prefix(self, asset_id: str, version: str) -> str:
        """Return the key prefix of a version of an asset; other packages store their data of it below, too."""
        return _version_prefix(asset_id, version)

    def list_versions(self, asset_id: str) -> list[str]:
        """Return the versions of an asset with stored data, complete or not, sorted."""
        prefix = f"{_ROOT_PREFIX}/{asset_id}/"
        return sorted({name[len(prefix) :].split("/")[0] for name in self._blobs.list_keys(prefix)})

    def list_assets(self) -> list[str]:
        """Return the ids of assets with stored data, sorted."""
        return sorted({name.split("/")[1] for name in self._blobs.list_keys(_ROOT_PREFIX)})

    def delete(self, asset_id: str, version: str | None = None) -> int:
        """Delete an asset or one version of it; return the number of blobs deleted."""
        return self._blobs.delete_prefix(
            f"{_ROOT_PREFIX}/{asset_id}" if version is None else _version_prefix(asset_id, version)
        )


class ArtifactDraft:
    """Resumable writer of an asset's checkpoints and, at the end, its manifest."""

    def __init__(self, blobs: BlobStore, asset_id: str, version: str) -> None:
        self._blobs, self._asset_id, self._version = blobs, asset_id, version
        self._checksums: list[str] = []
        self.sampled_frames = 0
        self.segment_count = 0

    def resume(self, max_checkpoints: int | None = None) -> int:
        """Count the leading intact checkpoints, at most `max_checkpoints`, and continue after them."""
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
        """Store the next checkpoint atomically."""
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
        """Write the manifest, which completes the asset, and return it."""
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
        regions = checkpoint.picture_regions or (None,) * len(checkpoint.pictures)
        spans = zip(pairwise(ends), regions, strict=True)
        refs = [PictureRef(key, start, end - start, region) for (start, end), region in spans]
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
    """Rename the fields of artifacts written before 2026-11-29 to their current names.

    The files stay as they are, since a manifest has the checksums of its checkpoints. `sampled_frames` has no default,
    so a file with the old names never decodes as a current one by mistake.
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
