"""Storage of the state that an interrupted indexing run resumes from: an index and blocks of tokens.

The last two states are stored in two alternating places (decision 0022). A state is as large as the memory, so it is
written in small blocks, and a block that has not changed since it was last written there is skipped: the hour and day
levels change every ten minutes and every hour (decision 0023). A node's tokens never change, so the numbers of its
nodes identify the content of a block; the index, written last, names them too.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from indexer.errors import ArtifactError
from indexer.ports import BlobStore
from memory.checksummed_tensors import decode_checksummed, encode_checksummed, verify_metadata
from memory.quantization import Tensors
from memory.tensor_codec import decode_nodes, decode_state, encode_state_index
from memory.video_memory import VideoMemory

_SLOTS_PER_BLOCK = 16
"""Form: part of the stored format; smaller blocks skip more writes but are more files (decision 0023)."""
_INDEX_NAME = "ring"


class ResumeStateStore:
    """The last two resume states of one memory, in `folder`. Errors: ArtifactError, MemoryMismatch, StorageFull."""

    def __init__(self, blobs: BlobStore, folder: str) -> None:
        self._blobs, self._folder = blobs, folder
        self._stored_blocks: dict[str, str] = {}

    def save(self, number: int, memory: VideoMemory) -> None:
        """Store the state after checkpoint `number`, in place of the state before the last one."""
        prefix = self._state_prefix(number)
        for lane, level, bank in memory.iter_banks():
            numbers = [node.number for node in bank.nodes()]
            for first, nodes in _iter_blocks(numbers):
                key = f"{prefix}/{lane}.{level}.{first // _SLOTS_PER_BLOCK:02}"
                if self._stored_blocks.get(key) != nodes:
                    self._stored_blocks.pop(key, None)
                    tokens = bank.tokens(first, first + _SLOTS_PER_BLOCK)
                    self._blobs.put(key, encode_checksummed({"tokens": tokens}, memory, nodes=nodes))
                    self._stored_blocks[key] = nodes
        self._blobs.put(
            f"{prefix}/{_INDEX_NAME}", encode_checksummed(encode_state_index(memory), memory, after=str(number))
        )

    def resume(self, number: int, memory: VideoMemory) -> None:
        """Restore a new memory to its state after checkpoint `number`, one of the last two that were saved."""
        state = self._state_prefix(number)
        tensors = self._read_part(f"{state}/{_INDEX_NAME}", memory, after=str(number))
        for lane, level, _ in memory.iter_banks():
            prefix = f"{lane}.{level}"
            numbers = [node.number for node in decode_nodes(tensors[f"{prefix}.nodes"])]
            parts = [
                self._read_part(f"{state}/{prefix}.{first // _SLOTS_PER_BLOCK:02}", memory, nodes=nodes)["tokens"]
                for first, nodes in _iter_blocks(numbers)
            ]
            empty = np.empty((0, memory.positions, memory.width), np.float32)
            tensors[f"{prefix}.tokens"] = np.concatenate([empty, *parts])
        memory.restore(decode_state(tensors))

    def delete(self) -> None:
        """Delete both states."""
        self._stored_blocks.clear()
        self._blobs.delete_prefix(self._folder)

    def _read_part(self, key: str, memory: VideoMemory, **expected: str) -> Tensors:
        """Return the arrays of a block whose metadata is as expected. Errors: ArtifactError, MemoryMismatch."""
        metadata, tensors = decode_checksummed(self._blobs.get(key), key)
        actual = {name: metadata.pop(name, None) for name in expected}
        verify_metadata(metadata, memory, key)
        if actual != expected:
            raise ArtifactError(f"{key}: belongs to another state; index its source again")
        return tensors

    def _state_prefix(self, number: int) -> str:
        return f"{self._folder}/{number % 2}"


def _iter_blocks(numbers: list[int]) -> Iterator[tuple[int, str]]:
    """Yield the first slot of each block of a level, and the numbers of its nodes."""
    for first in range(0, len(numbers), _SLOTS_PER_BLOCK):
        yield first, ",".join(map(str, numbers[first : first + _SLOTS_PER_BLOCK]))
