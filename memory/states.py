"""What a memory goes on from, on disk: an index and blocks of tokens, two states in places that take turns.

A state is as large as the memory, so it is written in small blocks, and a block of slots that has not changed since it
was last written there is not written again: the hour and day levels change every ten minutes and every hour. A node's
tokens never change, so the numbers of its nodes say what a block holds; the index, written last, has them too.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from indexer.errors import ArtifactError
from indexer.ports import BlobStore
from memory.precision import Tensors
from memory.sealed import opened, require, sealed
from memory.tensors import nodes_of, state_index, state_of
from memory.video import VideoMemory

_BLOCK = 16
_INDEX = "ring"


class StateStore:
    """The last two states of one memory, below `folder`. Errors: ArtifactError, MemoryMismatch, StorageFull."""

    def __init__(self, blobs: BlobStore, folder: str) -> None:
        self._blobs, self._folder = blobs, folder
        self._written: dict[str, str] = {}

    def save(self, number: int, memory: VideoMemory) -> None:
        """Store what a memory is after checkpoint `number`, over that of the last but one."""
        place = self._place(number)
        for lane, level, bank in memory.levels():
            numbers = [node.number for node in bank.nodes()]
            for first, nodes in _blocks(numbers):
                key = f"{place}/{lane}.{level}.{first // _BLOCK:02}"
                if self._written.get(key) != nodes:
                    self._written.pop(key, None)
                    tokens = bank.tokens(first, first + _BLOCK)
                    self._blobs.put(key, sealed({"tokens": tokens}, memory, nodes=nodes))
                    self._written[key] = nodes
        self._blobs.put(f"{place}/{_INDEX}", sealed(state_index(memory), memory, after=str(number)))

    def resume(self, number: int, memory: VideoMemory) -> None:
        """Make a new memory what it was after checkpoint `number`, one of the last two that were saved."""
        place = self._place(number)
        tensors = self._part(f"{place}/{_INDEX}", memory, after=str(number))
        for lane, level, _ in memory.levels():
            prefix = f"{lane}.{level}"
            numbers = [node.number for node in nodes_of(tensors[f"{prefix}.nodes"])]
            parts = [
                self._part(f"{place}/{prefix}.{first // _BLOCK:02}", memory, nodes=nodes)["tokens"]
                for first, nodes in _blocks(numbers)
            ]
            empty = np.empty((0, memory.positions, memory.width), np.float32)
            tensors[f"{prefix}.tokens"] = np.concatenate([empty, *parts])
        memory.restore(state_of(tensors))

    def clear(self) -> None:
        """Keep none."""
        self._written.clear()
        self._blobs.delete(self._folder)

    def _part(self, key: str, memory: VideoMemory, **wanted: str) -> Tensors:
        about, tensors = opened(self._blobs.get(key), key)
        said = {name: about.pop(name, None) for name in wanted}
        require(about, memory, key)
        if said != wanted:
            raise ArtifactError(f"{key}: belongs to another state; index its source again")
        return tensors

    def _place(self, number: int) -> str:
        return f"{self._folder}/{number % 2}"


def _blocks(numbers: list[int]) -> Iterator[tuple[int, str]]:
    """Where each block of a level begins, and the numbers of its nodes."""
    for first in range(0, len(numbers), _BLOCK):
        yield first, ",".join(map(str, numbers[first : first + _BLOCK]))
