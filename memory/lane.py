"""One lane of a video's memory: the bank, and above it an hour and a day level, all bounded, all merged by one rule.

Every ten minutes the oldest slots of a full bank move to the hour level, every hour the oldest of that to the day
level; each level merges as the bank does. Together they cover the whole video, however long it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from memory.bank import MemoryBank, OnMerge, ignore_merge
from memory.merge_cost import GLOBAL_COST, NOVELTY_COST, MergeCost
from memory.types import BankState, Node, Slot, Tokens

_SLOTS_PER_MOVE = 8
_BANK_MOVE_INTERVAL_S, _HOUR_MOVE_INTERVAL_S = 600.0, 3600.0


@dataclass(frozen=True, slots=True)
class LaneConfig:
    """What a lane may keep: slots of its bank, of its hour level and of its day level; and what merging costs."""

    slots: int
    hour: int
    day: int
    cost: MergeCost


LANE_CONFIGS = {"global": LaneConfig(64, 96, 48, GLOBAL_COST), "novelty": LaneConfig(32, 48, 24, NOVELTY_COST)}


LEVELS = ("day", "hour", "bank")
"""The levels of a lane, oldest first."""


@dataclass(frozen=True, slots=True)
class MemoryLaneState:
    """What a lane is at one moment, to go on from: its three banks, oldest first, and when slots move next."""

    day: BankState
    hour: BankState
    bank: BankState
    bank_due_s: float
    hour_due_s: float


class MemoryLane:
    """A `benchmarks.memory_baselines.policy.Policy` whose bound holds for any length. `number` gives new node numbers, `watch` is told of
    every merge."""

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
        self._bank.add(node, tokens)
        while node.end_s >= self._bank_due_s:
            self._bank_due_s += _BANK_MOVE_INTERVAL_S
            _move_oldest(self._bank, self._hour)
        while node.end_s >= self._hour_due_s:
            self._hour_due_s += _HOUR_MOVE_INTERVAL_S
            _move_oldest(self._hour, self._day)

    def slots(self) -> list[Slot]:
        return [slot for level in (self._day, self._hour, self._bank) for slot in level.slots()]

    def nodes(self) -> list[Node]:
        """The nodes of the slots, in order of time."""
        return [node for level in (self._day, self._hour, self._bank) for node in level.nodes()]

    @property
    def levels(self) -> dict[str, MemoryBank]:
        """The banks by name (`LEVELS`), oldest first; to be looked at."""
        return dict(zip(LEVELS, (self._day, self._hour, self._bank), strict=True))

    @property
    def due_s(self) -> tuple[float, float]:
        """When slots move next, from the bank and from the hour level."""
        return self._bank_due_s, self._hour_due_s

    def state(self) -> MemoryLaneState:
        """All that decides what the lane will do."""
        return MemoryLaneState(
            self._day.state(), self._hour.state(), self._bank.state(), self._bank_due_s, self._hour_due_s
        )

    def restore(self, state: MemoryLaneState) -> None:
        """Become what another lane of this shape was."""
        self._day.restore(state.day)
        self._hour.restore(state.hour)
        self._bank.restore(state.bank)
        self._bank_due_s, self._hour_due_s = state.bank_due_s, state.hour_due_s


def _move_oldest(source: MemoryBank, target: MemoryBank) -> None:
    """The oldest slots of a full level move up; a level with room keeps what it has."""
    if len(source) == source.capacity:
        for _ in range(min(_SLOTS_PER_MOVE, source.capacity - 1)):
            slot = source.pop_oldest()
            target.add(slot.node, slot.tokens)
