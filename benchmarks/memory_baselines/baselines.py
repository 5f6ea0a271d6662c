"""Baseline memories for comparison: newest frames, evenly spread frames, and k-means over all frames."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from memory.types import Node, Slot, Tokens


class Fifo:
    """`fifo`: the newest frames; older ones are dropped."""

    def __init__(self, capacity: int) -> None:
        self._slots: deque[Slot] = deque(maxlen=capacity)

    def add(self, node: Node, tokens: Tokens) -> None:
        """Append a frame, dropping the oldest of a full memory."""
        self._slots.append(Slot(node, tokens.copy()))

    def slots(self) -> list[Slot]:
        """Return the frames in order of time."""
        return list(self._slots)


class Uniform:
    """`uniform`: single frames, spread as evenly as a stream of unknown length allows.

    A full memory drops the frame whose removal leaves the smallest gap; the one before it covers its time too.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._slots: list[Slot] = []

    def add(self, node: Node, tokens: Tokens) -> None:
        """Append a frame, dropping one of a full memory."""
        self._slots.append(Slot(node, tokens.copy()))
        if len(self._slots) <= self._capacity:
            return
        starts = [slot.node.start_s for slot in self._slots]
        gaps = [after - before for before, after in zip(starts, starts[2:], strict=False)]
        place = int(np.argmin(gaps))
        heir, gone = self._slots[place], self._slots.pop(place + 1)
        longer = replace(heir.node, end_s=gone.node.end_s, weight=heir.node.weight + gone.node.weight)
        self._slots[place] = Slot(longer, heir.tokens)

    def slots(self) -> list[Slot]:
        """Return the frames in order of time."""
        return list(self._slots)


class KMeans:
    """`kmeans`: cluster centres of all frames, computed on request. Not streaming: it holds every frame until then.

    A slot spans from its first frame to its last; the spans of slots may overlap.
    """

    def __init__(self, capacity: int, max_iterations: int = 20, seed: int = 0) -> None:
        self._capacity, self._max_iterations, self._seed = capacity, max_iterations, seed
        self._frames: list[Slot] = []

    def add(self, node: Node, tokens: Tokens) -> None:
        """Append a frame."""
        self._frames.append(Slot(node, tokens.copy()))

    def slots(self) -> list[Slot]:
        """Cluster all frames; returns the centres in order of their first frames."""
        points = np.stack([slot.tokens.ravel() for slot in self._frames])
        owner, centres = self._cluster(points)
        slots = [self._slot(number, owner, centres) for number in np.unique(owner)]
        return sorted(slots, key=lambda slot: (slot.node.start_s, slot.node.end_s))

    def _cluster(self, points: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        rng = np.random.default_rng(self._seed)
        centres = points[rng.choice(len(points), min(self._capacity, len(points)), replace=False)].copy()
        owner = np.zeros(len(points), np.intp)
        for _ in range(self._max_iterations):
            distances = (centres**2).sum(1)[None] - 2 * points @ centres.T
            nearest = distances.argmin(1)
            for number in np.unique(nearest):
                centres[number] = points[nearest == number].mean(0)
            if (nearest == owner).all():
                break
            owner = nearest
        return owner, centres

    def _slot(self, number: int, owner: NDArray[np.intp], centres: NDArray[np.float32]) -> Slot:
        members = [slot for slot, cluster in zip(self._frames, owner, strict=True) if cluster == number]
        centre = centres[number].reshape(members[0].tokens.shape)
        medoid = min(members, key=lambda slot: float(((slot.tokens - centre) ** 2).sum()))
        first, last = members[0].node, members[-1].node
        return Slot(Node(int(number), first.start_s, last.end_s, len(members), medoid.node.medoid_s), centre)
