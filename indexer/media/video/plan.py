"""Frame sampling: a grid of times, key frames preferred, with a guaranteed minimum rate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

_TIME_EPSILON_S = 1e-9  # Form: rounding error of times; finer than any time base


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """Sampling plan: rate, guaranteed minimum rate, start and size of the frames of a video.

    The frame for grid time `k / fps` is the first key frame at or after it that still holds the floor, else the first
    frame at or after it, else the last one that holds it. So the rate lies between `fps_floor` and `fps`, and no gap is
    longer than `1 / fps_floor` unless the file itself has one. The choice is made for the whole file; `start_s` only
    leaves out what comes before. The longer side is at most `max_px` pixels (never scaled up).
    """

    fps: float = 1.0
    fps_floor: float = 0.5
    """Chosen: half of `fps`; lower prefers more key frames, which decode faster, and misses shorter events."""
    start_s: float = 0.0
    max_px: int = 1280
    """Chosen: small text stays legible; larger frames cost time and memory."""

    def __post_init__(self) -> None:
        """Raise ValueError for rates or sizes out of range."""
        if not (0 < self.fps_floor <= self.fps and math.isfinite(self.fps)):
            raise ValueError(f"fps_floor must lie in (0, fps]; got {self.fps_floor} with fps {self.fps}")
        if not (self.start_s >= 0 and math.isfinite(self.start_s) and self.max_px > 0):
            raise ValueError(f"start_s must not be negative, max_px must be positive: {self.start_s}, {self.max_px}")

    @property
    def step_s(self) -> float:
        """Seconds between grid times."""
        return 1.0 / self.fps

    @property
    def max_gap_s(self) -> float:
        """Longest allowed time between sampled frames, in seconds."""
        return 1.0 / self.fps_floor

    def next_target_s(self, after_s: float) -> float:
        """Return the first grid time at least half a step after `after_s`."""
        return math.ceil(after_s / self.step_s + 0.5 - 1e-6) * self.step_s


@dataclass(frozen=True, slots=True)
class VideoReport:
    """Decoding statistics of a video.

    `end_s` is the true end of the longer of pictures and audio. `damaged_packets` counts the packets that the
    demuxer or the decoder refused; pictures that the decoder concealed silently are not counted.
    """

    sampled_frames: int
    decoded_frames: int
    damaged_packets: int
    end_s: float
    warnings: tuple[str, ...] = ()


def choose_frames(
    times_s: NDArray[np.float64], is_key: NDArray[np.bool_], end_s: float, plan: SamplingPlan
) -> list[int]:
    """Return the rows of the frames to sample, ascending, where all times are known beforehand.

    `times_s` is `[n]`, ascending; `is_key[i]` marks frames that decode on their own.
    """
    if not len(times_s):
        return []
    key_rows = np.flatnonzero(is_key)
    key_times = times_s[key_rows]
    chosen, target = [0], plan.next_target_s(float(times_s[0]))
    while True:
        latest = float(times_s[chosen[-1]]) + plan.max_gap_s + _TIME_EPSILON_S
        k = int(np.searchsorted(key_times, target - _TIME_EPSILON_S))
        if k < len(key_rows) and key_times[k] <= latest:
            row = int(key_rows[k])
        else:
            row = _first_or_last_within(times_s, target, latest, chosen[-1], end_s)
        if row >= len(times_s):
            return chosen
        target = plan.next_target_s(max(float(times_s[row]), target))
        chosen.append(row)


def _first_or_last_within(times_s: NDArray[np.float64], target: float, latest: float, last: int, end_s: float) -> int:
    """Return the row of the first frame from `target` on if it holds the floor, else of the last one that does.

    Returns `len(times_s)` where the video ends before another frame is due.
    """
    row = int(np.searchsorted(times_s, target - _TIME_EPSILON_S))
    if row < len(times_s) and times_s[row] <= latest:
        return row
    if row >= len(times_s) and end_s <= latest:
        return row
    return max(int(np.searchsorted(times_s, latest, side="right")) - 1, last + 1)


def choose_streaming(
    frames: Iterable[tuple[float, T]], plan: SamplingPlan, interval_s: float
) -> Iterator[tuple[float, T]]:
    """Sample frames as they arrive, by the rule of `choose_frames` without key frames; one frame is held back."""
    last = target = -math.inf
    candidate: tuple[float, T] | None = None
    for time_s, frame in frames:
        if candidate is not None and time_s > last + plan.max_gap_s + _TIME_EPSILON_S:
            yield candidate
            last, target, candidate = candidate[0], plan.next_target_s(max(candidate[0], target)), None
        if time_s >= target - _TIME_EPSILON_S or time_s > last + plan.max_gap_s + _TIME_EPSILON_S:
            yield time_s, frame
            last, target, candidate = time_s, plan.next_target_s(max(time_s, target)), None
        else:
            candidate = time_s, frame
    if candidate is not None and candidate[0] + interval_s > last + plan.max_gap_s + _TIME_EPSILON_S:
        yield candidate
