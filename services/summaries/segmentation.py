"""Where a video changes: its memory's slots merged on, by the bank's own rule, until a handful of sections is left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from memory.merge_cost import GLOBAL_COST, MergeCost
from memory.types import Slot, Tokens

_MAX_SECTIONS = 24
_SAME_CONTENT_COST = 0.02
_SIMILARITY_COST = MergeCost(alpha=0.0, p=1.0)


@dataclass(frozen=True, slots=True)
class Section:
    """`[start_s, end_s)` of a video in which much the same is seen; `shown_s` are times of pictures that show it, the
    one that stands for most of it first."""

    start_s: float
    end_s: float
    picture_times_s: tuple[float, ...]


def max_sections(duration_s: float) -> int:
    """How many sections a video of a length gets at most: 6 for ten minutes, 15 for an hour, 24 for three and more."""
    return max(1, min(_MAX_SECTIONS, round(2 * math.sqrt(duration_s / 60))))


def segment_by_content(slots: Sequence[Slot], max_count: int) -> list[Section]:
    """Sections of the slots of one lane, in order, at most `most`. Neighbours that look the same are always one."""
    groups = [_SlotGroup([slot], slot.tokens.copy()) for slot in slots]
    costs = [_merge_cost(GLOBAL_COST, a, b) for a, b in pairwise(groups)]
    while len(groups) > 1:
        place = int(np.argmin(costs))
        if (
            len(groups) <= max_count
            and _merge_cost(_SIMILARITY_COST, groups[place], groups[place + 1]) >= _SAME_CONTENT_COST
        ):
            break
        groups[place : place + 2] = [_merge_groups(groups[place], groups[place + 1])]
        costs.pop(place)
        for near in (place - 1, place):
            if 0 <= near < len(costs):
                costs[near] = _merge_cost(GLOBAL_COST, groups[near], groups[near + 1])
    return [group.section() for group in groups]


def segment_evenly(duration_s: float, count: int) -> list[Section]:
    """Sections of one length, for a video of which nothing is remembered."""
    edges = np.linspace(0.0, duration_s, count + 1).tolist()
    return [Section(start, end, ((start + end) / 2,)) for start, end in pairwise(edges)]


@dataclass(slots=True)
class _SlotGroup:
    slots: list[Slot]
    mean: Tokens

    @property
    def weight(self) -> int:
        return sum(slot.node.weight for slot in self.slots)

    def section(self) -> Section:
        heaviest = sorted(self.slots, key=lambda slot: -slot.node.weight)
        shown = tuple(dict.fromkeys(slot.node.medoid_s for slot in heaviest))
        return Section(self.slots[0].node.start_s, self.slots[-1].node.end_s, shown)


def _merge_groups(a: _SlotGroup, b: _SlotGroup) -> _SlotGroup:
    share = np.float32(b.weight / (a.weight + b.weight))
    return _SlotGroup([*a.slots, *b.slots], a.mean * (1 - share) + b.mean * share)


def _merge_cost(cost: MergeCost, a: _SlotGroup, b: _SlotGroup) -> float:
    dots, norms_a, norms_b = (
        np.vecdot(one, other) for one, other in ((a.mean, b.mean), (a.mean, a.mean), (b.mean, b.mean))
    )
    return cost.evaluate(dots, norms_a, norms_b, a.weight, b.weight)
