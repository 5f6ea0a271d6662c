"""Lane of a video's memory: three bounded memory banks (newest, hour, day) that cover a video of any length.

Every ten minutes the oldest slots of a full bank move to the hour level, every hour the oldest of that to the day
level. All levels merge by the same cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from memory.bank import MemoryBank, OnMerge, ignore_merge
from memory.merge_cost import GLOBAL_COST, NOVELTY_COST, MergeCost
from memory.types import BankState, Node, Slot, Tokens

_SLOTS_PER_MOVE = 8
"""Chosen: a small part of a level, so that what stays still covers recent time evenly."""
_BANK_MOVE_INTERVAL_S = 600.0
"""Chosen: a bank of 64 slots then covers about 80 minutes; a shorter interval shows less time, in finer detail."""
_HOUR_MOVE_INTERVAL_S = 3600.0
"""Chosen: an hour level of 96 slots then covers about 12 hours; a shorter interval shows less time, in finer detail."""


@dataclass(frozen=True, slots=True)
class LaneConfig:
    """Capacity of a lane, as slots of its bank, of its hour and of its day level, and its merge cost."""

    slots: int
    hour: int
    day: int
    cost: MergeCost


LANE_CONFIGS = {"global": LaneConfig(64, 96, 48, GLOBAL_COST), "novelty": LaneConfig(32, 48, 24, NOVELTY_COST)}
"""Lanes by name.

Measured: 64 and 32 slots of the banks, by `python -m benchmarks.memory_quality` (decision 0018).
Chosen: slots of the hour and day levels, which fill in two and six hours; more would show older time in finer detail.
"""
LEVELS = ("day", "hour", "bank")
"""Names of a lane's levels, oldest first."""


@dataclass(frozen=True, slots=True)
class MemoryLaneState:
    """State of a lane to resume from: its three banks, oldest first, and the times of the next moves of slots."""

    day: BankState
    hour: BankState
    bank: BankState
    bank_due_s: float
    hour_due_s: float


class MemoryLane:
    """Three-level memory of bounded size for a video of any length.

    `next_number` returns the number of a new node; `on_merge` is called after each merge.
    """

    def __init__(
        self,
        shape: LaneConfig,
        positions: int,
        width: int,
        next_number: Callable[[], int],
        on_merge: OnMerge = ignore_merge,
    ) -> None:
        self._day, self._hour, self._bank = (
            MemoryBank(size, positions, width, shape.cost, next_number, on_merge)
            for size in (shape.day, shape.hour, shape.slots)
        )
        self._bank_due_s, self._hour_due_s = _BANK_MOVE_INTERVAL_S, _HOUR_MOVE_INTERVAL_S

    def add(self, node: Node, tokens: Tokens) -> None:
        """Append a moment; move the oldest slots of full levels whose time has come. Errors: ValueError."""
        self._bank.add(node, tokens)
        while node.end_s >= self._bank_due_s:
            self._bank_due_s += _BANK_MOVE_INTERVAL_S
            _move_oldest(self._bank, self._hour)
        while node.end_s >= self._hour_due_s:
            self._hour_due_s += _HOUR_MOVE_INTERVAL_S
            _move_oldest(self._hour, self._day)

    def slots(self) -> list[Slot]:
        """Return the slots of all levels in order of time; the tokens are copies."""
        return [slot for level in (self._day, self._hour, self._bank) for slot in level.slots()]

    def nodes(self) -> list[Node]:
        """Return the nodes of the slots in order of time."""
        return [node for level in (self._day, self._hour, self._bank) for node in level.nodes()]

    @property
    def levels(self) -> dict[str, MemoryBank]:
        """Banks by name (`LEVELS`), oldest first, for reading only."""
        return dict(zip(LEVELS, (self._day, self._hour, self._bank), strict=True))

    @property
    def due_s(self) -> tuple[float, float]:
        """Video times of the next moves of slots, from the bank and from the hour level."""
        return self._bank_due_s, self._hour_due_s

    def state(self) -> MemoryLaneState:
        """Return the state to resume from."""
        return MemoryLaneState(
            self._day.state(), self._hour.state(), self._bank.state(), self._bank_due_s, self._hour_due_s
        )

    def restore(self, state: MemoryLaneState) -> None:
        """Replace the content by the state of a lane of the same shape."""
        self._day.restore(state.day)
        self._hour.restore(state.hour)
        self._bank.restore(state.bank)
        self._bank_due_s, self._hour_due_s = state.bank_due_s, state.hour_due_s


def _move_oldest(source: MemoryBank, target: MemoryBank) -> None:
    """Move the oldest slots of a full bank to the next level; a bank with free slots keeps all of them."""
    if len(source) == source.capacity:
        for _ in range(min(_SLOTS_PER_MOVE, source.capacity - 1)):
            slot = source.pop_oldest()
            target.add(slot.node, slot.tokens)
