"""Memory policy: the port that the memory bank and the baselines share."""

from __future__ import annotations

from typing import Protocol

from memory.types import Node, Slot, Tokens


class MemoryPolicy(Protocol):
    """A bounded memory of one video; `add` takes its moments in order of time, `slots` returns what is retained."""

    def add(self, node: Node, tokens: Tokens) -> None:
        """Add a moment with its tokens `[P, D]` float32, all of one shape."""

    def slots(self) -> list[Slot]:
        """Return the slots in order of time; the tokens belong to the caller."""
