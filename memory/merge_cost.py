"""What it costs to merge two neighbours: how unlike they are, and how much they stand for.

    cost(a, b) = (w_a w_b / (w_a + w_b))^alpha · (mean_i (1 − cos(a_i, b_i))^p)^(1/p)

`alpha` keeps a block of constant motion from taking every slot; a high `p` counts the position that changed most, so
that a small new thing is not averaged away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_EPSILON = 1e-12


@dataclass(frozen=True, slots=True)
class MergeCost:
    """The two exponents of the cost; see the module."""

    alpha: float
    p: float

    def evaluate(
        self,
        dots: NDArray[np.float32],
        norms_a: NDArray[np.float32],
        norms_b: NDArray[np.float32],
        weight_a: int,
        weight_b: int,
    ) -> float:
        """The cost from what is kept of a pair: per position `[P]` the dot product and both squared norms."""
        cosines = dots / np.sqrt(np.maximum(norms_a * norms_b, _EPSILON))
        unlike = np.clip(1.0 - cosines, 0.0, 2.0)
        spread = (
            float(unlike.mean()) if self.p == 1 else float(np.mean(unlike.astype(np.float64) ** self.p) ** (1 / self.p))
        )
        return float((weight_a * weight_b / (weight_a + weight_b)) ** self.alpha) * spread


GLOBAL_COST = MergeCost(alpha=0.25, p=1.0)
"""Covers what happens: long events keep their slots, motion does not eat them."""
NOVELTY_COST = MergeCost(alpha=0.0, p=8.0)
"""Keeps what is new, however short or small."""
