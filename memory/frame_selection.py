"""From what a question found to the frames that show it: hits, the slots that hold them, down the merge tree.

Retrieval says when; the tree knows which real frames lie there. Only what overlaps a hit is climbed, so a long video
costs no more than the part of it that was found. Where more frames lie there than the budget holds, a chooser says
which to take.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from memory.types import Node

Scores = NDArray[np.float64]
"""Of frames in order of time, `[n]`, each in (0, 1]."""

_BOLT_POWER = 3.0
_AKS_MARGIN = 0.25


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """How well `[start_s, end_s)` of a video answers a question: `score` in [0, 1], 0 for no better than unrelated.

    A span without length is an instant. Errors: ValueError.
    """

    start_s: float
    end_s: float
    score: float

    def __post_init__(self) -> None:
        if not self.start_s <= self.end_s:
            raise ValueError(f"a hit from {self.start_s} s to {self.end_s} s")
        if not 0 <= self.score <= 1:
            raise ValueError(f"a relevance of {self.score}; it lies in [0, 1]")

    def overlaps(self, node: Node) -> bool:
        """Whether some of the node's time is in the hit."""
        return node.start_s <= self.start_s < node.end_s or self.start_s <= node.start_s < self.end_s


class FrameSelector(Protocol):
    """Which frames to take where there are more than `budget`, at least 1: places in `scores`, ascending, each once."""

    def __call__(self, scores: Scores, budget: int) -> NDArray[np.intp]: ...


def select_frames(
    hits: Sequence[ScoredSpan], slots: Sequence[Node], tree: Mapping[int, Node], budget: int, selector: FrameSelector
) -> list[Node]:
    """At most `budget` frames that lie in hits, in order of time, no two in the same second of the video.

    `slots` are those of one lane or of both, `tree` their nodes by number, frames included (`MemoryStore.children`). A
    slot that the tree does not know further stands for itself: its `medoid_s` is the frame. Where hits hold fewer
    frames than the budget, there are fewer. Errors: ValueError for a budget below 1.
    """
    if budget < 1:
        raise ValueError(f"a budget of {budget} frames; it takes 1")
    relevant = [hit for hit in hits if hit.score > 0]
    frames, scores = _best_per_second(_frames_in_hits(relevant, slots, tree))
    if len(frames) <= budget:
        return frames
    return [frames[place] for place in selector(scores, budget)]


def select_bolt(scores: Scores, budget: int) -> NDArray[np.intp]:
    """BOLT (arXiv 2503.21483): the frames at which the cumulative relevance, sharpened by a power, reaches
    evenly spaced levels.

    It is normalised by the best alone, as what is no hit has the least. A frame on which several levels fall is taken
    once; the others go to the rest in the same way.
    """
    weights = (scores / scores.max()) ** _BOLT_POWER
    is_selected = np.zeros(len(scores), bool)
    while (missing := min(budget, len(scores)) - int(is_selected.sum())) > 0:
        rest = np.flatnonzero(~is_selected)
        cumulative = np.cumsum(weights[rest])
        levels = (np.arange(missing) + 0.5) / missing * cumulative[-1]
        is_selected[rest[np.searchsorted(cumulative, levels)]] = True
    return np.flatnonzero(is_selected)


def select_aks(scores: Scores, budget: int) -> NDArray[np.intp]:
    """AKS (arXiv 2502.21271): the best frames of a bin where they stand out from its mean, else those of
    its two halves, which share the budget.

    A half has half of the frames. They stand out by a quarter of the best relevance of all. Frames of one hit are
    equally good; of equals the last ones to be taken are spread over the bin.
    """
    return np.sort(np.concatenate(list(_split_bins(scores / scores.max(), 0, len(scores), budget))))


FRAME_SELECTORS: dict[str, FrameSelector] = {"bolt": select_bolt, "aks": select_aks}


def _split_bins(scores: Scores, start: int, end: int, budget: int) -> Iterator[NDArray[np.intp]]:
    own = scores[start:end]
    top = _top_places(own, min(budget, len(own)))
    if budget == 1 or budget >= len(own) or own[top].mean() - own.mean() >= _AKS_MARGIN:
        yield start + top
        return
    middle, share = (start + end) // 2, budget // 2
    yield from _split_bins(scores, start, middle, share)
    yield from _split_bins(scores, middle, end, budget - share)


def _top_places(scores: Scores, count: int) -> NDArray[np.intp]:
    """The places of the best, spread evenly over those that are as good as the last of them."""
    least = np.partition(scores, -count)[-count]
    better, equal = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
    missing = count - len(better)
    spread = (np.arange(missing) + 0.5) / missing * len(equal)
    return np.concatenate([better, equal[spread.astype(np.intp)]])


def _frames_in_hits(
    hits: Sequence[ScoredSpan], slots: Sequence[Node], tree: Mapping[int, Node]
) -> Iterator[tuple[Node, float]]:
    """Every frame below a slot that lies in a hit, with the score of the best such hit."""
    pending = [(slot, hits) for slot in slots]
    while pending:
        node, near = pending.pop()
        near = [hit for hit in near if hit.overlaps(node)]
        if not near:
            continue
        children = [tree[number] for number in node.children or () if number in tree]
        if len(children) == 2:
            pending.extend((child, near) for child in children)
        else:
            yield node, max(hit.score for hit in near)


def _best_per_second(scored_frames: Iterator[tuple[Node, float]]) -> tuple[list[Node], Scores]:
    """The best frame of each second, the first of equals."""
    best: dict[int, tuple[Node, float]] = {}
    for node, score in sorted(scored_frames, key=lambda one: (-one[1], one[0].medoid_s, one[0].start_s)):
        best.setdefault(int(node.medoid_s), (node, score))
    best_in_order = [best[second] for second in sorted(best)]
    return [node for node, _ in best_in_order], np.array([score for _, score in best_in_order])
