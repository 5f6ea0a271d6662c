"""A streaming bank of moments: a fixed number of slots that together cover all that was seen.

After MA-LMM (He et al., CVPR 2024, arXiv 2404.05726), with whole frames merged instead of single positions, so that a
slot is a moment with a span. When a frame comes to a full bank, the neighbouring pair with the least cost becomes one.
Only the costs beside a change are new: a step reads and writes a fixed number of rows, however large the bank is. Dots
and norms of neighbours are kept and follow a merge by arithmetic, where they can.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from memory.merge_cost import MergeCost
from memory.types import BankState, Node, Slot, Tokens, merge_nodes

OnMerge = Callable[[Node], None]
"""Told of every node as it is made."""


def ignore_merge(_: Node) -> None:
    pass


class MemoryBank:
    """At most `capacity` slots of `[positions, width]` float32 tokens, in order of time.

    `watch` is told of each merge. Room for all slots is taken at once, so that a video that runs for hours needs what
    it needed in its first second. Not safe for several threads. Errors: ValueError for tokens of another shape and
    nodes that do not follow the last one, MemoryError where there is no room.
    """

    def __init__(
        self,
        capacity: int,
        positions: int,
        width: int,
        cost: MergeCost,
        next_number: Callable[[], int],
        on_merge: OnMerge = ignore_merge,
    ) -> None:
        if capacity < 2:
            raise ValueError(f"a bank of {capacity} slots cannot merge; it takes 2")
        self.capacity, self.shape = capacity, (positions, width)
        self._cost, self._next_number, self._on_merge = cost, next_number, on_merge
        self._tokens = np.empty((capacity + 1, positions, width), np.float32)
        self._tokens.fill(0)  # written to, as the system gives no memory for np.zeros before
        self._scratch = np.empty((positions, width), np.float32)
        self._norms = np.zeros((capacity + 1, positions), np.float32)
        self._dots = np.zeros((capacity + 1, positions), np.float32)
        self._costs = np.full(capacity + 1, np.inf)
        self._nodes: list[Node | None] = [None] * (capacity + 1)
        self._order: list[int] = []
        self._free = list(range(capacity, -1, -1))

    def __len__(self) -> int:
        return len(self._order)

    def add(self, node: Node, tokens: Tokens) -> None:
        """Take in the next moment; a full bank merges its cheapest pair."""
        self._append(node, tokens, np.vecdot(tokens, tokens))
        if len(self._order) > self.capacity:
            self._merge(int(np.argmin(self._costs[self._order])))

    def pop_oldest(self) -> Slot:
        """Give the first slot away. Errors: IndexError where there is none."""
        row = self._order.pop(0)
        slot = Slot(self._node(row), self._tokens[row].copy())
        self._free_row(row)
        return slot

    def slots(self) -> list[Slot]:
        """What the bank holds, in order of time; the tokens are copies."""
        return [Slot(self._node(row), self._tokens[row].copy()) for row in self._order]

    def nodes(self) -> list[Node]:
        """The nodes of the slots, in order of time."""
        return [self._node(row) for row in self._order]

    def tokens(self, first: int, end: int) -> NDArray[np.float32]:
        """The tokens of the slots `[first, end)` in order of time, copied: `[n, P, D]`."""
        return self._tokens[self._order[first:end]]

    def norms(self) -> NDArray[np.float32]:
        """The squared norms of all slots' tokens, copied: `[n, P]`."""
        return self._norms[self._order]

    def state(self) -> BankState:
        """All that decides what the bank will do."""
        return BankState(tuple(self.nodes()), self.tokens(0, len(self)), self.norms())

    def restore(self, state: BankState) -> None:
        """Become what another bank of this size was; the same frames then give the same slots."""
        for row in self._order:
            self._free_row(row)
        self._order.clear()
        for node, tokens, norms in zip(state.nodes, state.tokens, state.norms, strict=True):
            self._append(node, tokens, norms)

    def _append(self, node: Node, tokens: Tokens, norms: NDArray[np.float32]) -> None:
        self._validate(node, tokens)
        row = self._free.pop()
        self._tokens[row], self._norms[row], self._nodes[row] = tokens, norms, node
        self._order.append(row)
        if len(self._order) > 1:
            self._update_cost(len(self._order) - 2)

    def _merge(self, place: int) -> None:
        keep, gone = self._order[place], self._order[place + 1]
        before, after = self._node(keep), self._node(gone)
        share = after.weight / (before.weight + after.weight)
        self._average(keep, gone, np.float32(share))
        self._nodes[keep] = merge_nodes(self._next_number(), before, after)
        self._costs[keep] = np.inf
        self._order.pop(place + 1)
        self._free_row(gone)
        if place + 1 < len(self._order):
            self._update_cost(place)
        if place > 0:
            self._update_cost(place - 1)
        self._on_merge(self._node(keep))

    def _average(self, keep: int, gone: int, share: np.float32) -> None:
        """The size-weighted mean; its squared norms follow from those of the two and their dot product."""
        rest = np.float32(1) - share
        np.multiply(self._tokens[keep], rest, out=self._tokens[keep])
        np.multiply(self._tokens[gone], share, out=self._scratch)
        np.add(self._tokens[keep], self._scratch, out=self._tokens[keep])
        norms = rest * rest * self._norms[keep] + share * share * self._norms[gone]
        self._norms[keep] = np.maximum(norms + 2 * rest * share * self._dots[keep], 0)

    def _update_cost(self, place: int) -> None:
        """The cost of merging the slot at a place with the next one."""
        a, b = self._order[place], self._order[place + 1]
        self._dots[a] = np.vecdot(self._tokens[a], self._tokens[b])
        weights = self._node(a).weight, self._node(b).weight
        self._costs[a] = self._cost.evaluate(self._dots[a], self._norms[a], self._norms[b], *weights)

    def _free_row(self, row: int) -> None:
        self._nodes[row] = None
        self._costs[row] = np.inf
        self._free.append(row)

    def _node(self, row: int) -> Node:
        node = self._nodes[row]
        assert node is not None
        return node

    def _validate(self, node: Node, tokens: NDArray[np.float32]) -> None:
        if tokens.shape != self.shape:
            raise ValueError(f"tokens of shape {tokens.shape} for a bank of {self.shape}")
        if self._order and node.start_s < self._node(self._order[-1]).end_s:
            raise ValueError(
                f"a moment from {node.start_s} s does not follow one to {self._node(self._order[-1]).end_s} s"
            )
