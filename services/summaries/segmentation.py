"""Content-based segmentation of videos: merge memory slots until few sections are left (decision 0031)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from memory.merge_cost import GLOBAL_COST, MergeCost
from memory.types import Slot, Tokens

_MAX_SECTIONS = 24
"""Chosen: a list of chapters that is still read whole (decision 0031); longer videos get longer sections."""
_SECTIONS_PER_ROOT_MINUTE = 2
"""Chosen: sections grow with the square root of the length: 6 for ten minutes, 15 for an hour (decision 0031)."""
_SAME_CONTENT_COST = 0.02
"""Chosen: neighbours with a mean cosine above 0.98 are one section (decision 0031); higher joins different shots."""
_SIMILARITY_COST = MergeCost(alpha=0.0, p=1.0)
"""The mean of 1 - cosine, whatever the weights."""


@dataclass(frozen=True, slots=True)
class Section:
    """Span `[start_s, end_s)` of a video with similar content.

    `picture_times_s` are the times of its representative pictures, the most representative first.
    """

    start_s: float
    end_s: float
    picture_times_s: tuple[float, ...]


def max_sections(duration_s: float) -> int:
    """Return the largest number of sections for a video of some length."""
    return max(1, min(_MAX_SECTIONS, round(_SECTIONS_PER_ROOT_MINUTE * math.sqrt(duration_s / 60))))


def segment_by_content(slots: Sequence[Slot], max_count: int) -> list[Section]:
    """Merge the slots of one lane, in order, into at most `max_count` sections; similar neighbours always merge."""
    groups = [_SlotGroup([slot], slot.tokens.copy()) for slot in slots]
    costs = [_merge_cost(GLOBAL_COST, a, b) for a, b in pairwise(groups)]
    while len(groups) > 1:
        cheapest = int(np.argmin(costs))
        left, right = groups[cheapest : cheapest + 2]
        if len(groups) <= max_count and _merge_cost(_SIMILARITY_COST, left, right) >= _SAME_CONTENT_COST:
            break
        groups[cheapest : cheapest + 2] = [_merge_groups(left, right)]
        costs.pop(cheapest)
        for changed in (cheapest - 1, cheapest):
            if 0 <= changed < len(costs):
                costs[changed] = _merge_cost(GLOBAL_COST, groups[changed], groups[changed + 1])
    return [group.section() for group in groups]


def segment_evenly(duration_s: float, count: int) -> list[Section]:
    """Split a video without a memory into sections of equal length."""
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
        picture_times_s = tuple(dict.fromkeys(slot.node.medoid_s for slot in heaviest))
        return Section(self.slots[0].node.start_s, self.slots[-1].node.end_s, picture_times_s)


def _merge_groups(a: _SlotGroup, b: _SlotGroup) -> _SlotGroup:
    share = np.float32(b.weight / (a.weight + b.weight))
    return _SlotGroup([*a.slots, *b.slots], a.mean * (1 - share) + b.mean * share)


def _merge_cost(cost: MergeCost, a: _SlotGroup, b: _SlotGroup) -> float:
    dots, norms_a, norms_b = (np.vecdot(x, y) for x, y in ((a.mean, b.mean), (a.mean, a.mean), (b.mean, b.mean)))
    return cost.evaluate(dots, norms_a, norms_b, a.weight, b.weight)
