"""Merge cost of two neighbouring slots: their dissimilarity, weighted by the frames that they stand for.

    cost(a, b) = (w_a w_b / (w_a + w_b))^alpha · (mean_i (1 − cos(a_i, b_i))^p)^(1/p)

`alpha` keeps a stretch of constant motion from taking every slot; a high `p` counts the position that changed most, so
that a small new object is not averaged away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_EPSILON = 1e-12
"""Form: keeps the cosine of zero tokens finite."""


@dataclass(frozen=True, slots=True)
class MergeCost:
    """Merge cost with its two exponents, as the module's formula has them."""

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
        """Return the cost of a pair from its dot products and squared norms, each `[P]`, and its weights in frames."""
        cosines = dots / np.sqrt(np.maximum(norms_a * norms_b, _EPSILON))
        distances = np.clip(1.0 - cosines, 0.0, 2.0)
        if self.p == 1:
            mean_distance = float(distances.mean())
        else:
            mean_distance = float(np.mean(distances.astype(np.float64) ** self.p) ** (1 / self.p))
        return float((weight_a * weight_b / (weight_a + weight_b)) ** self.alpha) * mean_distance


GLOBAL_COST = MergeCost(alpha=0.25, p=1.0)
"""Measured: `benchmarks.memory_quality` covers all events, with and without motion. Long events keep their slots."""
NOVELTY_COST = MergeCost(alpha=0.0, p=8.0)
"""Measured: `benchmarks.memory_quality` (decision 0018). Keeps what is new, however short or small."""
