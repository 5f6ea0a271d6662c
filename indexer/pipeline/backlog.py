"""Bounded FIFO of checkpoints whose model results are pending while decoding continues."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from indexer.storage.artifacts import Checkpoint


@dataclass(frozen=True, slots=True)
class PendingCheckpoint:
    """Checkpoint whose parts are being computed; `result` waits for them and raises their exceptions."""

    futures: tuple[Future[Any], ...]
    result: Callable[[], Checkpoint]

    def done(self) -> bool:
        """Return True if no part is pending."""
        return all(future.done() for future in self.futures)


class CheckpointBacklog:
    """FIFO of pending checkpoints.

    A checkpoint leaves as soon as it and those before it are done, so that a crash costs no finished one. With more
    than `depth` pending, `pop_ready` waits for the first, which throttles the decoder.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._waiting: deque[PendingCheckpoint] = deque()

    def add(self, pending: PendingCheckpoint) -> None:
        """Append a checkpoint."""
        self._waiting.append(pending)

    def pop_ready(self) -> Iterator[Checkpoint]:
        """Yield finished checkpoints, and wait for the first ones while more than `depth` are pending."""
        while self._waiting and (len(self._waiting) > self._depth or self._waiting[0].done()):
            yield self._waiting.popleft().result()

    def drain(self) -> Iterator[Checkpoint]:
        """Yield all remaining checkpoints, waiting for each."""
        while self._waiting:
            yield self._waiting.popleft().result()
