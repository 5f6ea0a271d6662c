"""Storage of video memories, beside an asset's other artifacts.

After each checkpoint of a video two things are written, with checksums: `00012.log`, the nodes made since the last
checkpoint, and `after/0/…` (`after/1/…` after odd ones), the float32 state to resume from (`memory.resume_state`); two
places, so that one state is intact until the next checkpoint is committed. A finished memory is `bank`, its slots in
float16 or int8 (`memory.quantization`), and `manifest.json`, written last, with the model's id and the checksums of
bank and logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from indexer.errors import ArtifactError
from indexer.ports import BlobStore
from memory.checksummed_tensors import (
    SCHEMA_VERSION,
    decode,
    decode_checksummed,
    encode,
    encode_checksummed,
    sha256_hex,
)
from memory.errors import MemoryMismatch
from memory.lane import LANE_CONFIGS
from memory.quantization import Tensors, TokenPrecision
from memory.resume_state import ResumeStateStore
from memory.tensor_codec import decode_nodes, decode_slots, encode_nodes, encode_slots
from memory.types import Node, Slot
from memory.video_memory import FRAMES_LOG, VideoMemory


@dataclass(frozen=True, slots=True)
class MemoryManifest:
    """Manifest of a finished memory: model, shape and precision of its tokens, number of logs, checksums by name."""

    schema: int
    model: str
    positions: int
    width: int
    precision: TokenPrecision
    checkpoints: int
    shas: dict[str, str]


@dataclass(frozen=True, slots=True)
class StoredMemory:
    """Finished memory as loaded: the slots of each lane in order of time, tokens as float32."""

    manifest: MemoryManifest
    lanes: dict[str, list[Slot]]


class MemoryStore:
    """Memory of one asset in one version, in a folder of a blob store.

    Errors of all methods: ArtifactError for blobs that are missing or damaged, MemoryMismatch for those of another
    model.
    """

    def __init__(self, blobs: BlobStore, folder: str) -> None:
        self._blobs, self._folder = blobs, folder.rstrip("/") + "/memory"
        self._states = ResumeStateStore(blobs, f"{self._folder}/after")

    def save_checkpoint(self, number: int, memory: VideoMemory) -> None:
        """Store the log and the state after checkpoint `number`, from 0 on."""
        log: Tensors = {f"log.{name}": encode_nodes(nodes) for name, nodes in memory.drain_log().items()}
        self._blobs.put(self._key(f"{number:05}.log"), encode_checksummed(log, memory))
        self._states.save(number, memory)

    def resume(self, number: int, memory: VideoMemory) -> None:
        """Restore a new memory to its state after checkpoint `number`, one of the last two that were saved."""
        self._states.resume(number, memory)

    def finish(
        self, checkpoints: int, memory: VideoMemory, precision: TokenPrecision = TokenPrecision.FLOAT16
    ) -> MemoryManifest:
        """Store the finished memory and delete the states to resume from; return the manifest."""
        tensors: Tensors = {}
        for name in memory.lanes:
            tensors |= encode_slots(name, memory, precision)
        bank = encode(tensors, memory)
        self._blobs.put(self._key("bank"), bank)
        logs = [f"{number:05}.log" for number in range(checkpoints)]
        shas = {"bank": sha256_hex(bank)} | {name: self._log_checksum(name) for name in logs}
        shape = memory.positions, memory.width
        manifest = MemoryManifest(SCHEMA_VERSION, memory.model, *shape, precision, checkpoints, shas)
        self._blobs.put(self._key("manifest.json"), msgspec.json.encode(manifest))
        self._states.delete()
        return manifest

    def load(self, model: str | None = None) -> StoredMemory:
        """Return the finished memory. Errors: MemoryMismatch where it is not of `model`, if one is named."""
        manifest = self.read_manifest()
        if model is not None and manifest.model != model:
            raise MemoryMismatch(f"{self._folder}: the memory was made by {manifest.model}, not by {model}")
        key = self._key("bank")
        tensors = decode(self._read_verified("bank", manifest), key)
        try:
            lanes = {name: decode_slots(tensors, name, manifest.precision) for name in LANE_CONFIGS}
        except KeyError as error:
            raise ArtifactError(f"{key}: holds no {error}; index its source again") from error
        return StoredMemory(manifest, lanes)

    def read_manifest(self) -> MemoryManifest:
        """Return the manifest of the finished memory."""
        key = self._key("manifest.json")
        try:
            manifest = msgspec.json.decode(self._blobs.get(key), type=MemoryManifest)
        except msgspec.MsgspecError as error:
            raise ArtifactError(f"{key}: is damaged; index its source again") from error
        if manifest.schema != SCHEMA_VERSION:
            raise ArtifactError(f"{key}: is of version {manifest.schema}, not {SCHEMA_VERSION}; index its source again")
        return manifest

    def merge_tree(self, lane: str) -> Mapping[int, Node]:
        """Return every node of a lane by its number, frames included: the merge tree, to descend from a slot."""
        manifest = self.read_manifest()
        nodes_by_number: dict[int, Node] = {}
        for number in range(manifest.checkpoints):
            name = f"{number:05}.log"
            tensors = decode(self._read_verified(name, manifest), self._key(name))
            for part in (FRAMES_LOG, lane):
                nodes_by_number.update((node.number, node) for node in decode_nodes(tensors[f"log.{part}"]))
        return nodes_by_number

    def _log_checksum(self, name: str) -> str:
        """Return the checksum of a stored log after checking that it is intact."""
        data = self._blobs.get(self._key(name))
        decode_checksummed(data, self._key(name))
        return sha256_hex(data)

    def _read_verified(self, name: str, manifest: MemoryManifest) -> bytes:
        """Return a blob whose checksum is that of the manifest. Errors: ArtifactError."""
        data = self._blobs.get(self._key(name))
        if sha256_hex(data) != manifest.shas.get(name):
            raise ArtifactError(f"{self._key(name)}: does not match its checksum; index its source again")
        return data

    def _key(self, name: str) -> str:
        return f"{self._folder}/{name}"
