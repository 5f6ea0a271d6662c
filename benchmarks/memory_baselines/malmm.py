"""`malmm`: MA-LMM's memory compression (He et al., CVPR 2024, arXiv 2404.05726, section 3.2 and its code), exactly.

When a frame arrives at a full bank, every position of the grid merges its own most similar pair of neighbours in time,
by the size-weighted mean. A row is therefore no moment: its positions drift to different times. The published code
recomputes all similarities at each step; here only the two beside each merge are new, which gives the same rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memory.types import Node, Slot, Tokens

_EPSILON = 1e-12


class MaLmm:
    """A bank of at most `capacity` rows of `[positions, width]` float32 tokens.

    Rows lie anywhere in the store; `_order[k, i]` is where the k-th in time of position i lies.
    """

    def __init__(self, capacity: int, positions: int, width: int) -> None:
        if capacity < 2:
            raise ValueError(f"a bank of {capacity} rows cannot merge; at least 2 are needed")
        self.capacity = capacity
        self._tokens = np.zeros((capacity + 1, positions, width), np.float32)
        self._norms = np.zeros((capacity + 1, positions), np.float32)
        self._sizes = np.zeros((capacity + 1, positions), np.float32)
        self._similarities = np.full((capacity, positions), -np.inf, np.float32)
        self._order = np.repeat(np.arange(capacity + 1)[:, None], positions, 1)
        self._positions = np.arange(positions)
        self._row_count = 0
        self._weight, self._span = 0, (0.0, 0.0)

    def add(self, node: Node, tokens: Tokens) -> None:
        """Append a frame, merging one pair at every position of a full bank."""
        self._span = (self._span[0] if self._weight else node.start_s, node.end_s)
        self._weight += node.weight
        rows = self._order[self._row_count]
        self._tokens[rows, self._positions] = tokens
        self._norms[rows, self._positions] = np.sqrt(np.vecdot(tokens, tokens))
        self._sizes[rows, self._positions] = node.weight
        if self._row_count:
            self._compare(np.full(len(self._positions), self._row_count - 1))
        self._row_count += 1
        if self._row_count > self.capacity:
            self._merge()

    def slots(self) -> list[Slot]:
        """Return the rows in order; as a row has no span of its own, the covered time is divided by mean size."""
        order = self._order[: self._row_count]
        sizes = self._sizes[order, self._positions].mean(1)
        start_s, end_s = self._span
        edges = start_s + (end_s - start_s) * np.concatenate([[0.0], np.cumsum(sizes)]) / max(
            float(sizes.sum()), _EPSILON
        )
        return [
            Slot(
                Node(
                    k, float(edges[k]), float(edges[k + 1]), round(float(sizes[k])), float(edges[k] + edges[k + 1]) / 2
                ),
                self._tokens[order[k], self._positions].copy(),
            )
            for k in range(self._row_count)
        ]

    def _merge(self) -> None:
        places = self._similarities[: self._row_count - 1].argmax(0)
        keep, gone = self._order[places, self._positions], self._order[places + 1, self._positions]
        sizes_keep, sizes_gone = self._sizes[keep, self._positions], self._sizes[gone, self._positions]
        share = (sizes_gone / (sizes_keep + sizes_gone))[:, None]
        mean = self._tokens[keep, self._positions] * (1 - share) + self._tokens[gone, self._positions] * share
        self._tokens[keep, self._positions] = mean
        self._norms[keep, self._positions] = np.sqrt(np.vecdot(mean, mean))
        self._sizes[keep, self._positions] = sizes_keep + sizes_gone
        self._shift_rows(places, gone)
        self._row_count -= 1
        self._compare(np.where(places < self._row_count - 1, places, -1))
        self._compare(places - 1)

    def _shift_rows(self, places: NDArray[np.intp], gone: NDArray[np.intp]) -> None:
        """Move everything later up by one; the row that is free now comes last."""
        ranks = np.arange(self._row_count)[:, None]
        later = np.minimum(ranks + (ranks > places), self._row_count - 1)
        self._order[: self._row_count] = np.take_along_axis(self._order[: self._row_count], later, 0)
        self._order[self._row_count - 1] = gone
        pairs = np.arange(self._row_count - 1)[:, None]
        later = np.minimum(pairs + (pairs > places), self._row_count - 2)
        self._similarities[: self._row_count - 1] = np.take_along_axis(
            self._similarities[: self._row_count - 1], later, 0
        )

    def _compare(self, places: NDArray[np.intp]) -> None:
        """Compute the cosines of the rows at `places` with the next ones, by position; none for a place below 0."""
        here = np.flatnonzero(places >= 0)
        if not len(here):
            return
        at = places[here]
        a, b = self._order[at, here], self._order[at + 1, here]
        dots = np.vecdot(self._tokens[a, here], self._tokens[b, here])
        self._similarities[at, here] = dots / np.maximum(self._norms[a, here] * self._norms[b, here], _EPSILON)


def reference_merge_step(
    capacity: int, rows: NDArray[np.float32], sizes: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute one step as MA-LMM's code does, all similarities anew; the reference for tests and benchmarks.

    Rows `[capacity + 1, P, D]` and their sizes `[capacity + 1, P]` become one fewer.
    """
    norms = np.linalg.norm(rows, axis=-1)
    similarities = (rows[:-1] * rows[1:]).sum(-1) / np.maximum(norms[:-1] * norms[1:], _EPSILON)
    places = similarities.argmax(0)
    positions = np.arange(rows.shape[1])
    weighted = rows * sizes[..., None]
    weighted[places, positions] += weighted[places + 1, positions]
    sizes = sizes.copy()
    sizes[places, positions] += sizes[places + 1, positions]
    ranks = np.arange(capacity)[:, None]
    remaining = ranks + (ranks > places)
    sizes = np.take_along_axis(sizes, remaining, 0)
    return np.take_along_axis(weighted, remaining[..., None], 0) / sizes[..., None], sizes
