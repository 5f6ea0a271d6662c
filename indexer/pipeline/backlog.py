"""Checkpoints that wait for their models while decoding goes on. None that is finished waits: no crash costs it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from indexer.storage.artifacts import Checkpoint


@dataclass(frozen=True, slots=True)
class PendingCheckpoint:
    """A checkpoint whose parts are being computed; `result` waits for them, and raises what went wrong."""

    futures: tuple[Future[Any], ...]
    result: Callable[[], Checkpoint]

    def done(self) -> bool:
        return all(part.done() for part in self.futures)


class CheckpointBacklog:
    """Checkpoints in order. Each leaves as soon as it is done; where there are more than `depth`, the first is waited
    for, which holds back the decoder."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._waiting: deque[PendingCheckpoint] = deque()

    def add(self, pending: PendingCheckpoint) -> None:
        self._waiting.append(pending)

    def pop_ready(self) -> Iterator[Checkpoint]:
        """What is done, and what has to be."""
        while self._waiting and (len(self._waiting) > self._depth or self._waiting[0].done()):
            yield self._waiting.popleft().result()

    def drain(self) -> Iterator[Checkpoint]:
        """All that is left, waiting for each."""
        while self._waiting:
            yield self._waiting.popleft().result()
