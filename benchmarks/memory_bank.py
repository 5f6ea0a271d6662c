"""What one step of the memory costs: a naive MA-LMM compression, the same rule kept up incrementally, and the bank of
moments with both of its costs, beside the time to move the bytes once. One thread, so that the ratios are those of the
arithmetic.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.report import Figure, arguments, report
from memory.bank import MomentBank
from memory.costs import GLOBAL, NOVELTY, Cost
from memory.malmm import MaLmm, merge_all_again
from memory.types import Node

_SLOTS, _POSITIONS, _WIDTH, _FRAMES, _STEPS, _ROUNDS = 64, 196, 1024, 80, 120, 5


def run() -> list[Figure]:
    """Milliseconds a frame of each; the best of rounds that are taken in turns."""
    rng = np.random.default_rng(0)
    frames = rng.standard_normal((_FRAMES, _POSITIONS, _WIDTH), np.float32)
    block, target = rng.standard_normal((2, 8, _POSITIONS, _WIDTH), np.float32)
    steps = {
        "naive": (_naive(frames), 3),
        "malmm": (_policy(MaLmm(_SLOTS, _POSITIONS, _WIDTH), frames), _STEPS),
        "global": (_policy(_bank(GLOBAL), frames), _STEPS),
        "novelty": (_policy(_bank(NOVELTY), frames), _STEPS),
        "move": (lambda: np.copyto(target, block), _STEPS),
    }
    best = dict.fromkeys(steps, np.inf)
    for _ in range(_ROUNDS):
        for name, (step, count) in steps.items():
            best[name] = min(best[name], _milliseconds(step, count))
    slowest = max(best["global"], best["novelty"])
    shape = f"{_SLOTS} × {_POSITIONS} × {_WIDTH}"
    return [
        Figure(f"naive MA-LMM, {shape}", best["naive"], "ms a frame"),
        Figure("malmm, incremental", best["malmm"], "ms a frame"),
        Figure("bank, global lane", best["global"], "ms a frame"),
        Figure("bank, novelty lane", best["novelty"], "ms a frame"),
        Figure("moving 8 × positions × width elements once", best["move"], "ms"),
        Figure("bank (slower lane) against naive MA-LMM", best["naive"] / slowest, "× faster", 50.0),
        Figure("bank (slower lane) over the move", slowest / best["move"], "×", 2.0, at_least=False),
    ]


def _bank(cost: Cost) -> MomentBank:
    count = itertools.count()
    return MomentBank(_SLOTS, _POSITIONS, _WIDTH, cost, lambda: next(count))


def _policy(policy: MomentBank | MaLmm, frames: NDArray[np.float32]) -> Callable[[], None]:
    seconds = itertools.count()

    def step() -> None:
        index = next(seconds)
        policy.add(Node(-index, float(index), float(index + 1), 1, float(index)), frames[index % _FRAMES])

    for _ in range(_SLOTS + 1):
        step()
    return step


def _naive(frames: NDArray[np.float32]) -> Callable[[], object]:
    rows, sizes = frames[: _SLOTS + 1], np.ones((_SLOTS + 1, _POSITIONS), np.float32)
    return lambda: merge_all_again(_SLOTS, rows, sizes)


def _milliseconds(step: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - started) / count * 1000


if __name__ == "__main__":
    given = arguments(__doc__ or "").parse_args()
    with threadpool_limits(1):
        figures = run()
    sys.exit(report("memory_bank", figures, given.check, given.json))
