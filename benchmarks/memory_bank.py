"""Benchmark of the memory bank: time of one step, and peak memory over a long video.

Time: a naive MA-LMM compression, the same rule computed incrementally, and the bank of moments with both of its costs,
beside the time to move the bytes once. One thread, so that the ratios are those of the arithmetic.

Memory: the peak resident memory at any frame of ten minutes and of ten hours, above what was resident before. Each runs
in a process of its own, one frame a second, with the log drained every minute as at a checkpoint; writing checkpoints
is not included.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import psutil
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.memory_baselines.malmm import MaLmm, reference_merge_step
from benchmarks.report import Figure, make_parser, report
from memory.bank import MemoryBank
from memory.merge_cost import GLOBAL_COST, NOVELTY_COST, MergeCost
from memory.types import Node
from memory.video_memory import VideoMemory

_SLOTS, _POSITIONS, _WIDTH, _FRAMES, _STEPS, _ROUNDS = 64, 196, 1024, 80, 120, 5
_CLIP_POSITIONS, _CLIP_WIDTH, _LOG_EVERY_FRAMES = 49, 768, 60
_SHORT_S, _LONG_S = 600, 36_000


def measure_speed() -> list[Figure]:
    """Measure milliseconds a frame of each implementation; the best of alternating rounds."""
    rng = np.random.default_rng(0)
    frames = rng.standard_normal((_FRAMES, _POSITIONS, _WIDTH), np.float32)
    block, target = rng.standard_normal((2, 8, _POSITIONS, _WIDTH), np.float32)
    steps = {
        "naive": (_make_reference_step(frames), 3),
        "malmm": (_make_policy_step(MaLmm(_SLOTS, _POSITIONS, _WIDTH), frames), _STEPS),
        "global": (_make_policy_step(_make_bank(GLOBAL_COST), frames), _STEPS),
        "novelty": (_make_policy_step(_make_bank(NOVELTY_COST), frames), _STEPS),
        "move": (lambda: np.copyto(target, block), _STEPS),
    }
    best = dict.fromkeys(steps, np.inf)
    for _ in range(_ROUNDS):
        for name, (step, count) in steps.items():
            best[name] = min(best[name], _measure_ms(step, count))
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


def measure_resident_memory() -> list[Figure]:
    """Measure the peak memory of a short and of a long video, in MB."""
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as fresh:
        short, long = fresh.map(_measure_peak_mb, (_SHORT_S, _LONG_S))
    shape = f"{_CLIP_POSITIONS} × {_CLIP_WIDTH}"
    return [
        Figure(f"peak of a video's memory over 10 minutes, {shape}", short, "MB"),
        Figure(f"peak of a video's memory over 10 hours, {shape}", long, "MB"),
        Figure("peak over 10 hours against 10 minutes", long / short, "×", 1.05, at_least=False),
    ]


def _measure_peak_mb(seconds: int) -> float:
    frames = np.random.default_rng(0).standard_normal((_FRAMES, _CLIP_POSITIONS, _CLIP_WIDTH), np.float32)
    process = psutil.Process()
    before = peak = int(process.memory_info().rss)
    memory = VideoMemory(_CLIP_POSITIONS, _CLIP_WIDTH, "benchmark")
    for index in range(seconds):
        memory.add(float(index), float(index + 1), 1, frames[index % _FRAMES])
        peak = max(peak, int(process.memory_info().rss))
        if index % _LOG_EVERY_FRAMES == _LOG_EVERY_FRAMES - 1:
            memory.drain_log()
    return (peak - before) / 1e6


def _make_bank(cost: MergeCost) -> MemoryBank:
    count = itertools.count()
    return MemoryBank(_SLOTS, _POSITIONS, _WIDTH, cost, lambda: next(count))


def _make_policy_step(policy: MemoryBank | MaLmm, frames: NDArray[np.float32]) -> Callable[[], None]:
    seconds = itertools.count()

    def step() -> None:
        index = next(seconds)
        policy.add(Node(-index, float(index), float(index + 1), 1, float(index)), frames[index % _FRAMES])

    for _ in range(_SLOTS + 1):
        step()
    return step


def _make_reference_step(frames: NDArray[np.float32]) -> Callable[[], object]:
    rows, sizes = frames[: _SLOTS + 1], np.ones((_SLOTS + 1, _POSITIONS), np.float32)
    return lambda: reference_merge_step(_SLOTS, rows, sizes)


def _measure_ms(step: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - started) / count * 1000


if __name__ == "__main__":
    args = make_parser(__doc__ or "").parse_args()
    with threadpool_limits(1):
        figures = [*measure_speed(), *measure_resident_memory()]
    sys.exit(report("memory_bank", figures, args.check, args.json))
