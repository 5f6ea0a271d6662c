"""Memories on disk, beside an asset's other artifacts.

After each checkpoint of a video these blobs are written, each with its own checksum: `00012.log` (the nodes made since
the last one; kept) and `after/0/…` (all that is needed to go on, float32: `memory.states`; `after/1/…` after odd ones,
so that a state is there until the next one's checkpoint is committed). A finished memory is `bank` (its slots, float16
or int8: `memory.precision`) and `manifest.json`, written last, with the model's fingerprint and the checksums of all
its parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from indexer.errors import ArtifactError, MemoryMismatch
from indexer.ports import BlobStore
from memory.hierarchy import LANES
from memory.precision import Precision, Tensors
from memory.sealed import SCHEMA, loaded, opened, sealed, sha_of, stored
from memory.states import StateStore
from memory.tensors import node_table, nodes_of, slot_tensors, slots_of
from memory.types import Node, Slot
from memory.video import FRAMES, VideoMemory


@dataclass(frozen=True, slots=True)
class MemoryManifest:
    """What a finished memory is: its model, the shape and precision of its tokens, the checkpoints it has logs of, and
    checksums."""

    schema: int
    model: str
    positions: int
    width: int
    precision: Precision
    checkpoints: int
    shas: dict[str, str]


@dataclass(frozen=True, slots=True)
class StoredMemory:
    """A finished memory: the slots of each lane in order of time, tokens as float32."""

    manifest: MemoryManifest
    lanes: dict[str, list[Slot]]


class MemoryStore:
    """The memory of one asset in one version, in a folder of a blob store.

    Errors: ArtifactError where something is missing or damaged, MemoryMismatch where another model made it.
    """

    def __init__(self, blobs: BlobStore, folder: str) -> None:
        self._blobs, self._folder = blobs, folder.rstrip("/") + "/memory"
        self._states = StateStore(blobs, f"{self._folder}/after")

    def save(self, number: int, memory: VideoMemory) -> None:
        """Store what a memory is after checkpoint `number` (from 0), so that `resume` can go on from there."""
        log: Tensors = {f"log.{name}": node_table(nodes) for name, nodes in memory.take_log().items()}
        self._blobs.put(self._key(f"{number:05}.log"), sealed(log, memory))
        self._states.save(number, memory)

    def resume(self, number: int, memory: VideoMemory) -> None:
        """Make a new memory what it was after checkpoint `number`, one of the last two that were saved."""
        self._states.resume(number, memory)

    def finish(self, checkpoints: int, memory: VideoMemory, precision: Precision = Precision.FLOAT16) -> MemoryManifest:
        """Store the finished memory; the state that it could have gone on from goes."""
        tensors: Tensors = {}
        for name in memory.lanes:
            tensors |= slot_tensors(name, memory, precision)
        bank = stored(tensors, memory)
        self._blobs.put(self._key("bank"), bank)
        logs = [f"{number:05}.log" for number in range(checkpoints)]
        shas = {"bank": sha_of(bank)} | {name: self._sha_of_log(name) for name in logs}
        shape = memory.positions, memory.width
        manifest = MemoryManifest(SCHEMA, memory.model, *shape, precision, checkpoints, shas)
        self._blobs.put(self._key("manifest.json"), msgspec.json.encode(manifest))
        self._states.clear()
        return manifest

    def load(self, model: str | None = None) -> StoredMemory:
        """The finished memory; where `model` is named it must have made it."""
        manifest = self.manifest()
        if model is not None and manifest.model != model:
            raise MemoryMismatch(f"{self._folder}: the memory was made by {manifest.model}, not by {model}")
        key = self._key("bank")
        tensors = loaded(self._checked("bank", manifest), key)
        try:
            lanes = {name: slots_of(tensors, name, manifest.precision) for name in LANES}
        except KeyError as error:
            raise ArtifactError(f"{key}: holds no {error}; index its source again") from error
        return StoredMemory(manifest, lanes)

    def manifest(self) -> MemoryManifest:
        """What the finished memory is."""
        key = self._key("manifest.json")
        try:
            manifest = msgspec.json.decode(self._blobs.get(key), type=MemoryManifest)
        except msgspec.MsgspecError as error:
            raise ArtifactError(f"{key}: is damaged; index its source again") from error
        if manifest.schema != SCHEMA:
            raise ArtifactError(f"{key}: is of version {manifest.schema}, not {SCHEMA}; index its source again")
        return manifest

    def children(self, lane: str) -> Mapping[int, Node]:
        """Every node of a lane by its number, frames included: the whole merge tree, to climb down from a slot."""
        manifest = self.manifest()
        known: dict[int, Node] = {}
        for number in range(manifest.checkpoints):
            name = f"{number:05}.log"
            tensors = loaded(self._checked(name, manifest), self._key(name))
            for part in (FRAMES, lane):
                known.update((node.number, node) for node in nodes_of(tensors[f"log.{part}"]))
        return known

    def _sha_of_log(self, name: str) -> str:
        data = self._blobs.get(self._key(name))
        opened(data, self._key(name))
        return sha_of(data)

    def _checked(self, name: str, manifest: MemoryManifest) -> bytes:
        data = self._blobs.get(self._key(name))
        if sha_of(data) != manifest.shas.get(name):
            raise ArtifactError(f"{self._key(name)}: does not match its checksum; index its source again")
        return data

    def _key(self, name: str) -> str:
        return f"{self._folder}/{name}"
