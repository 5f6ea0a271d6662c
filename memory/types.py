"""Value types of the memory: nodes of the merge tree, slots, states of a bank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.float32]
"""Visual tokens of one frame or slot, `[P, D]`."""


@dataclass(frozen=True, slots=True)
class Node:
    """Node of a video's merge tree: a frame, or two neighbouring nodes merged.

    `[start_s, end_s)` is its time span, `weight` the number of frames it stands for, `medoid_s` the time of a real
    frame that represents it. `number` is unique in the memory; `children` are the numbers of the two nodes it was
    merged from, None for a frame.
    """

    number: int
    start_s: float
    end_s: float
    weight: int
    medoid_s: float
    children: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """Entry of a memory bank: a node and its tokens, the mean of its frames' tokens."""

    node: Node
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class BankState:
    """State of a bank to resume from: nodes in order of time, tokens `[n, P, D]`, squared norms `[n, P]`."""

    nodes: tuple[Node, ...]
    tokens: NDArray[np.float32]
    norms: NDArray[np.float32]


def merge_nodes(number: int, before: Node, after: Node) -> Node:
    """Return the node that merges two neighbours.

    Its medoid is that of the heavier one, whose mean is nearer to the new mean.
    """
    medoid_s = before.medoid_s if before.weight >= after.weight else after.medoid_s
    weight = before.weight + after.weight
    return Node(number, before.start_s, after.end_s, weight, medoid_s, (before.number, after.number))
