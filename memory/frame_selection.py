"""Query-aware frame selection: from scored time spans of a video to the frames that show them.

The merge tree of the memory knows the real frames below each slot. Only what overlaps a span is descended, so that a
long video costs no more than its relevant part. Where that has more frames than the budget, a selector chooses (AKS,
BOLT).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from memory.types import Node

Scores = NDArray[np.float64]
"""Relevance of frames in order of time, `[n]`, each in (0, 1]."""

_BOLT_POWER = 3.0
"""Chosen: sharpens the relevance towards the best frames; a lower power spreads frames over weak spans too."""
_AKS_MARGIN = 0.25
"""Chosen: a bin keeps its best frames where they exceed its mean by this share of the best relevance of all; the
paper's threshold is for scores of another scale."""


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """Relevance of a time span `[start_s, end_s)` to a question: `score` in [0, 1], 0 for no better than unrelated.

    A span of zero length is an instant. Errors: ValueError.
    """

    start_s: float
    end_s: float
    score: float

    def __post_init__(self) -> None:
        """Raise ValueError if the span ends before it starts, or the score is out of range."""
        if not self.start_s <= self.end_s:
            raise ValueError(f"a hit from {self.start_s} s to {self.end_s} s")
        if not 0 <= self.score <= 1:
            raise ValueError(f"a relevance of {self.score}; it lies in [0, 1]")

    def overlaps(self, node: Node) -> bool:
        """Return True if span and node share time."""
        return node.start_s <= self.start_s < node.end_s or self.start_s <= node.start_s < self.end_s


class FrameSelector(Protocol):
    """Chooses among frames where there are more than the budget."""

    def __call__(self, scores: Scores, budget: int) -> NDArray[np.intp]:
        """Return the indices of at most `budget` (1 or more) frames, ascending, each once."""
        ...


def select_frames(
    hits: Sequence[ScoredSpan], slots: Sequence[Node], tree: Mapping[int, Node], budget: int, selector: FrameSelector
) -> list[Node]:
    """Return at most `budget` frames that lie in the spans, in order of time, no two in the same second of the video.

    `slots` are those of one lane or of both, `tree` their nodes by number, frames included (`MemoryStore.merge_tree`).
    A slot whose children the tree lacks stands for itself, with its `medoid_s` as the frame. Errors: ValueError for a
    budget below 1.
    """
    if budget < 1:
        raise ValueError(f"a budget of {budget} frames; at least 1 is needed")
    relevant = [hit for hit in hits if hit.score > 0]
    frames, scores = _best_per_second(_frames_in_hits(relevant, slots, tree))
    if len(frames) <= budget:
        return frames
    return [frames[index] for index in selector(scores, budget)]


def select_bolt(scores: Scores, budget: int) -> NDArray[np.intp]:
    """Select frames by BOLT (arXiv 2503.21483): inverse transform sampling of the sharpened, cumulative relevance.

    The relevance is normalised by its maximum alone, since frames outside the spans have the minimum (decision 0020). A
    frame that several levels fall on is selected once; the remaining levels are spread over the other frames.
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
    """Select frames by AKS (arXiv 2502.21271): the best frames of a time bin, or recursively those of its two halves.

    A bin whose best frames stand out from its mean keeps them; otherwise its halves share the budget. Frames
    of one span are equally relevant; among equals the selection is spread over the bin (decision 0020).
    """
    return np.sort(np.concatenate(list(_split_bins(scores / scores.max(), 0, len(scores), budget))))


FRAME_SELECTORS: dict[str, FrameSelector] = {"bolt": select_bolt, "aks": select_aks}
"""Selectors by the name that the settings use."""


def _split_bins(scores: Scores, start: int, end: int, budget: int) -> Iterator[NDArray[np.intp]]:
    """Yield the indices selected in the bin `[start, end)`, of scores normalised by their maximum."""
    bin_scores = scores[start:end]
    top = _top_indices(bin_scores, min(budget, len(bin_scores)))
    if budget == 1 or budget >= len(bin_scores) or bin_scores[top].mean() - bin_scores.mean() >= _AKS_MARGIN:
        yield start + top
        return
    middle, share = (start + end) // 2, budget // 2
    yield from _split_bins(scores, start, middle, share)
    yield from _split_bins(scores, middle, end, budget - share)


def _top_indices(scores: Scores, count: int) -> NDArray[np.intp]:
    """Return the indices of the best scores; those equal to the lowest of them are spread evenly."""
    lowest = np.partition(scores, -count)[-count]
    better, equal = np.flatnonzero(scores > lowest), np.flatnonzero(scores == lowest)
    missing = count - len(better)
    spread = (np.arange(missing) + 0.5) / missing * len(equal)
    return np.concatenate([better, equal[spread.astype(np.intp)]])


def _frames_in_hits(
    hits: Sequence[ScoredSpan], slots: Sequence[Node], tree: Mapping[int, Node]
) -> Iterator[tuple[Node, float]]:
    """Yield every frame below a slot that lies in a span, with the score of the best such span."""
    pending: list[tuple[Node, Sequence[ScoredSpan]]] = [(slot, hits) for slot in slots]
    while pending:
        node, candidates = pending.pop()
        overlapping = [hit for hit in candidates if hit.overlaps(node)]
        if not overlapping:
            continue
        children = [tree[number] for number in node.children or () if number in tree]
        if len(children) == 2:
            pending.extend((child, overlapping) for child in children)
        else:
            yield node, max(hit.score for hit in overlapping)


def _best_per_second(scored_frames: Iterator[tuple[Node, float]]) -> tuple[list[Node], Scores]:
    """Return the best frame of each second, the first of equals, and their scores."""
    best: dict[int, tuple[Node, float]] = {}
    for node, score in sorted(scored_frames, key=lambda scored: (-scored[1], scored[0].medoid_s, scored[0].start_s)):
        best.setdefault(int(node.medoid_s), (node, score))
    best_in_order = [best[second] for second in sorted(best)]
    return [node for node, _ in best_in_order], np.array([score for _, score in best_in_order])
