"""Streaming memory bank: a fixed number of slots that together cover everything that was added.

After MA-LMM (He et al., CVPR 2024, arXiv 2404.05726), but whole frames are merged instead of single positions, so that
a slot has a time span. When a frame is added to a full bank, the neighbouring pair with the lowest cost is merged. Only
the costs beside a change are computed anew, so that a step reads and writes a fixed number of rows, whatever the size
of the bank. Dot products and norms of neighbours are stored and updated by arithmetic where possible.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from memory.merge_cost import MergeCost
from memory.types import BankState, Node, Slot, Tokens, merge_nodes

OnMerge = Callable[[Node], None]
"""Called with each node that a merge makes."""


def ignore_merge(_: Node) -> None:
    """Do nothing with a merged node."""


class MemoryBank:
    """At most `capacity` slots of `[positions, width]` float32 tokens, in order of time. Not thread-safe.

    `next_number` returns the number of a new node; `on_merge` is called after each merge. Memory for all slots is
    allocated at once, so that a video of hours takes no more than its first second (decision 0019). Errors: ValueError
    for tokens of another shape and for nodes out of order, MemoryError.
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
            raise ValueError(f"a bank of {capacity} slots cannot merge; at least 2 are needed")
        self.capacity, self.shape = capacity, (positions, width)
        self._cost, self._next_number, self._on_merge = cost, next_number, on_merge
        self._tokens = np.empty((capacity + 1, positions, width), np.float32)
        self._tokens.fill(0)  # np.zeros would reserve pages without making them resident
        self._scratch = np.empty((positions, width), np.float32)
        self._norms = np.zeros((capacity + 1, positions), np.float32)
        self._dots = np.zeros((capacity + 1, positions), np.float32)
        self._costs = np.full(capacity + 1, np.inf)
        self._nodes: list[Node | None] = [None] * (capacity + 1)
        self._order: list[int] = []
        self._free = list(range(capacity, -1, -1))

    def __len__(self) -> int:
        """Return the number of slots."""
        return len(self._order)

    def add(self, node: Node, tokens: Tokens) -> None:
        """Append a moment; a bank over its capacity merges its cheapest pair of neighbours."""
        self._append(node, tokens, np.vecdot(tokens, tokens))
        if len(self._order) > self.capacity:
            self._merge(int(np.argmin(self._costs[self._order])))

    def pop_oldest(self) -> Slot:
        """Remove and return the oldest slot. Errors: IndexError for an empty bank."""
        row = self._order.pop(0)
        slot = Slot(self._node(row), self._tokens[row].copy())
        self._free_row(row)
        return slot

    def slots(self) -> list[Slot]:
        """Return the slots in order of time; the tokens are copies."""
        return [Slot(self._node(row), self._tokens[row].copy()) for row in self._order]

    def nodes(self) -> list[Node]:
        """Return the nodes of the slots in order of time."""
        return [self._node(row) for row in self._order]

    def tokens(self, first: int, end: int) -> NDArray[np.float32]:
        """Return a copy of the tokens of the slots `[first, end)` in order of time, `[n, P, D]`."""
        return self._tokens[self._order[first:end]]

    def norms(self) -> NDArray[np.float32]:
        """Return a copy of the squared norms of all tokens, `[n, P]`."""
        return self._norms[self._order]

    def state(self) -> BankState:
        """Return the state to resume from."""
        return BankState(tuple(self.nodes()), self.tokens(0, len(self)), self.norms())

    def restore(self, state: BankState) -> None:
        """Replace the content by the state of a bank of the same size; the same frames then give the same slots."""
        for row in self._order:
            self._free_row(row)
        self._order.clear()
        for node, tokens, norms in zip(state.nodes, state.tokens, state.norms, strict=True):
            self._append(node, tokens, norms)

    def _append(self, node: Node, tokens: Tokens, norms: NDArray[np.float32]) -> None:
        """Add a slot behind the last one and compute the cost of merging the two. Errors: ValueError."""
        self._validate(node, tokens)
        row = self._free.pop()
        self._tokens[row], self._norms[row], self._nodes[row] = tokens, norms, node
        self._order.append(row)
        if len(self._order) > 1:
            self._update_cost(len(self._order) - 2)

    def _merge(self, position: int) -> None:
        """Merge the slot at a position in time with the next one, into its row."""
        row, next_row = self._order[position], self._order[position + 1]
        before, after = self._node(row), self._node(next_row)
        share = after.weight / (before.weight + after.weight)
        self._average(row, next_row, np.float32(share))
        self._nodes[row] = merge_nodes(self._next_number(), before, after)
        self._costs[row] = np.inf
        self._order.pop(position + 1)
        self._free_row(next_row)
        if position + 1 < len(self._order):
            self._update_cost(position)
        if position > 0:
            self._update_cost(position - 1)
        self._on_merge(self._node(row))

    def _average(self, row: int, next_row: int, share: np.float32) -> None:
        """Store the weighted mean of two rows in the first; `share` is the weight of the second.

        The squared norms of the mean follow from those of the two and their dot products.
        """
        rest = np.float32(1) - share
        np.multiply(self._tokens[row], rest, out=self._tokens[row])
        np.multiply(self._tokens[next_row], share, out=self._scratch)
        np.add(self._tokens[row], self._scratch, out=self._tokens[row])
        norms = rest * rest * self._norms[row] + share * share * self._norms[next_row]
        self._norms[row] = np.maximum(norms + 2 * rest * share * self._dots[row], 0)

    def _update_cost(self, position: int) -> None:
        """Compute the cost of merging the slot at a position in time with the next one."""
        a, b = self._order[position], self._order[position + 1]
        self._dots[a] = np.vecdot(self._tokens[a], self._tokens[b])
        weights = self._node(a).weight, self._node(b).weight
        self._costs[a] = self._cost.evaluate(self._dots[a], self._norms[a], self._norms[b], *weights)

    def _free_row(self, row: int) -> None:
        """Make the row available for a new slot."""
        self._nodes[row] = None
        self._costs[row] = np.inf
        self._free.append(row)

    def _node(self, row: int) -> Node:
        """Return the node of a row in use."""
        node = self._nodes[row]
        assert node is not None
        return node

    def _validate(self, node: Node, tokens: NDArray[np.float32]) -> None:
        """Raise ValueError if the tokens have another shape, or the node begins before the last one ends."""
        if tokens.shape != self.shape:
            raise ValueError(f"tokens of shape {tokens.shape} for a bank of {self.shape}")
        if self._order and node.start_s < self._node(self._order[-1]).end_s:
            raise ValueError(
                f"a moment from {node.start_s} s does not follow one to {self._node(self._order[-1]).end_s} s"
            )
