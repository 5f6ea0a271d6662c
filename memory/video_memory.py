"""Memory of one video: a ring of its newest moments, and two lanes of memory banks that cover the rest.

The global lane keeps long events, the novelty lane what is new, however short (`memory.merge_cost`). Every node is
logged, so that a slot can be traced down the merge tree to its frames; the log goes to disk, only slots stay in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from memory.bank import MemoryBank
from memory.lane import LANE_CONFIGS, MemoryLane, MemoryLaneState
from memory.types import Node, Slot, Tokens

RING_SIZE = 16
"""Chosen: moments that stay unmerged, for questions about what is happening now; more of them cost as many slots."""
FRAMES_LOG = "frames"
"""Log that frames go to; merged nodes go to the log of their lane's name."""
NodeLog = dict[str, list[Node]]
"""New nodes by log."""


@dataclass(frozen=True, slots=True)
class MemoryState:
    """State of a memory to resume from: its newest moments, its lanes, the number of the next node."""

    ring: tuple[Slot, ...]
    lanes: dict[str, MemoryLaneState]
    next_number: int


class _NodeCounter:
    """Counter of node numbers.

    It is no method of the memory: the lanes' reference to it would make a cycle, which delays freeing the memory.
    """

    def __init__(self) -> None:
        self.next = 0

    def __call__(self) -> int:
        """Return the next number."""
        self.next += 1
        return self.next - 1


class VideoMemory:
    """Bounded memory of one video, of float32 tokens `[positions, width]` that `model` made."""

    def __init__(self, positions: int, width: int, model: str) -> None:
        self.positions, self.width, self.model = positions, width, model
        self._counter = _NodeCounter()
        self._ring: deque[Slot] = deque()
        self._log: NodeLog = {name: [] for name in (FRAMES_LOG, *LANE_CONFIGS)}
        self._lanes = {
            name: MemoryLane(shape, positions, width, self._counter, self._log[name].append)
            for name, shape in LANE_CONFIGS.items()
        }

    @property
    def ring(self) -> tuple[Slot, ...]:
        """Newest moments, in order of time."""
        return tuple(self._ring)

    @property
    def lanes(self) -> Mapping[str, MemoryLane]:
        """Lanes by name, for reading only."""
        return self._lanes

    @property
    def next_number(self) -> int:
        """Number of the next node."""
        return self._counter.next

    @property
    def end_s(self) -> float:
        """End of the newest moment; 0 for an empty memory."""
        return self._ring[-1].node.end_s if self._ring else 0.0

    def add(
        self, start_s: float, end_s: float, frame_count: int, tokens: Tokens, medoid_s: float | None = None
    ) -> None:
        """Append a moment: `frame_count` similar frames in `[start_s, end_s)`, represented by the frame at `medoid_s`.

        Without `medoid_s` it is the first frame. Errors: ValueError for tokens of another shape.
        """
        if tokens.shape != (self.positions, self.width):
            raise ValueError(f"tokens of shape {tokens.shape} for a memory of {(self.positions, self.width)}")
        node = Node(self._counter(), start_s, end_s, frame_count, start_s if medoid_s is None else medoid_s)
        self._log[FRAMES_LOG].append(node)
        self._ring.append(Slot(node, tokens.copy()))
        if len(self._ring) > RING_SIZE:
            oldest = self._ring.popleft()
            for lane in self._lanes.values():
                lane.add(oldest.node, oldest.tokens)

    def iter_banks(self) -> Iterator[tuple[str, str, MemoryBank]]:
        """Yield every bank with the names of its lane and of its level, for reading only."""
        for name, lane in self._lanes.items():
            for level, bank in lane.levels.items():
                yield name, level, bank

    def slots(self) -> dict[str, list[Slot]]:
        """Return the slots of each lane and the newest moments, in order of time; each lane covers the whole video."""
        return {name: [*lane.slots(), *self._ring] for name, lane in self._lanes.items()}

    def drain_log(self) -> NodeLog:
        """Return the nodes made since the last call, by log."""
        drained = {name: list(nodes) for name, nodes in self._log.items()}
        for nodes in self._log.values():
            nodes.clear()
        return drained

    def restore(self, state: MemoryState) -> None:
        """Replace the content by the state of a memory of the same size."""
        self._ring = deque(state.ring)
        for name, lane in self._lanes.items():
            lane.restore(state.lanes[name])
        self._counter.next = state.next_number
