"""Pool of sandboxed decoders for files of one kind of work; each decoder serves one request at a time."""

from __future__ import annotations

from collections.abc import Callable
from queue import LifoQueue
from typing import TypeVar

from indexer.errors import SourceError
from indexer.media.sandbox.client import SandboxedDecoder

T = TypeVar("T")


class DecoderPool:
    """Decoders that `start` makes, `count` of them; their processes start with the first request."""

    def __init__(self, start: Callable[[], SandboxedDecoder], count: int) -> None:
        self._idle: LifoQueue[SandboxedDecoder] = LifoQueue()
        for _ in range(count):
            self._idle.put(start())

    def run(self, name: str, work: Callable[[SandboxedDecoder], T]) -> T:
        """Run work on an idle decoder, once there is one; its errors name `name` instead of the file's path."""
        decoder = self._idle.get()
        try:
            return work(decoder)
        except SourceError as error:
            raise type(error)(name, error.reason) from error
        finally:
            self._idle.put(decoder)

    def close(self) -> None:
        """Stop the processes of idle decoders."""
        while not self._idle.empty():
            self._idle.get().close()
