"""What a memory may be made of: the port that our bank and the named baselines share."""

from __future__ import annotations

from typing import Protocol

from memory.types import Node, Slot, Tokens


class MemoryPolicy(Protocol):
    """Takes in the moments of one video in order of time, and keeps a bounded number of slots.

    `add` takes tokens `[P, D]` float32 of one shape. `slots` gives what is kept, in order of time; the tokens are the
    caller's own.
    """

    def add(self, node: Node, tokens: Tokens) -> None: ...
    def slots(self) -> list[Slot]: ...
