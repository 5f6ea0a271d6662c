"""The memory of one video: its newest moments as they came, and two lanes that cover all the rest.

The global lane keeps what happens, the novelty lane what is new, however short (`memory.merge_cost`). Every node that is
made is logged, so that a slot can be climbed down to its frames; the log goes to disk, the slots alone stay in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from memory.bank import MemoryBank
from memory.lane import LANE_CONFIGS, MemoryLane, MemoryLaneState
from memory.types import Node, Slot, Tokens

RING_SIZE = 16
FRAMES_LOG = "frames"
"""The name under which frames are logged; merges are logged under their lane's."""

NodeLog = dict[str, list[Node]]


@dataclass(frozen=True, slots=True)
class MemoryState:
    """What a memory is at one moment, to go on from: its newest moments, its lanes, the number of the next node."""

    ring: tuple[Slot, ...]
    lanes: dict[str, MemoryLaneState]
    next_number: int


class _NodeCounter:
    """Counts on. No method of the memory, which its lanes would hold on to: it shall go as soon as nobody needs it."""

    def __init__(self) -> None:
        self.next = 0

    def __call__(self) -> int:
        self.next += 1
        return self.next - 1


class VideoMemory:
    """Takes in moments in order of time: tokens `[positions, width]` float32, from the model named `model`."""

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
        """The newest moments, in order of time."""
        return tuple(self._ring)

    @property
    def lanes(self) -> Mapping[str, MemoryLane]:
        """The lanes by name; to be looked at."""
        return self._lanes

    @property
    def next_number(self) -> int:
        """The number of the next node."""
        return self._counter.next

    @property
    def end_s(self) -> float:
        """Where the newest moment ends; 0 before the first."""
        return self._ring[-1].node.end_s if self._ring else 0.0

    def add(
        self, start_s: float, end_s: float, frame_count: int, tokens: Tokens, medoid_s: float | None = None
    ) -> None:
        """The next moment: `frames` frames that look alike, during `[start_s, end_s)`, the one that is kept of them at
        `medoid_s` (the first, if None). Errors: ValueError."""
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
        """Every bank, with the names of its lane and of its level; to be looked at."""
        for name, lane in self._lanes.items():
            for level, bank in lane.levels.items():
                yield name, level, bank

    def slots(self) -> dict[str, list[Slot]]:
        """What each lane keeps, in order of time, the newest moments with it; each lane covers the whole video."""
        return {name: [*lane.slots(), *self._ring] for name, lane in self._lanes.items()}

    def drain_log(self) -> NodeLog:
        """The nodes that were made since this was last asked."""
        drained = {name: list(nodes) for name, nodes in self._log.items()}
        for nodes in self._log.values():
            nodes.clear()
        return drained

    def restore(self, state: MemoryState) -> None:
        """Become what another memory of this size was."""
        self._ring = deque(state.ring)
        for name, lane in self._lanes.items():
            lane.restore(state.lanes[name])
        self._counter.next = state.next_number
