"""The words of the memory: what one slot stands for, and how two become one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.float32]
"""Visual tokens of one frame or slot, `[P, D]`."""


@dataclass(frozen=True, slots=True)
class Node:
    """A moment of one video: a frame, or two neighbouring moments merged.

    `[start_s, end_s)` is its span, `weight` the frames it stands for, `medoid_s` the time of a real frame that looks
    most like it. `number` counts the nodes of a lane; `children` are the two it was merged from, none for a frame.
    """

    number: int
    start_s: float
    end_s: float
    weight: int
    medoid_s: float
    children: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """One entry of a bank: a node and its tokens, the mean of its frames' tokens."""

    node: Node
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class BankState:
    """What a bank is at one moment, to go on from: nodes in order of time, tokens `[n, P, D]` and squared norms
    `[n, P]`, float32."""

    nodes: tuple[Node, ...]
    tokens: NDArray[np.float32]
    norms: NDArray[np.float32]


def merge_nodes(number: int, before: Node, after: Node) -> Node:
    """The node that two neighbours become. Its medoid is that of the heavier, whose mean is nearer to its own."""
    medoid_s = before.medoid_s if before.weight >= after.weight else after.medoid_s
    weight = before.weight + after.weight
    return Node(number, before.start_s, after.end_s, weight, medoid_s, (before.number, after.number))
