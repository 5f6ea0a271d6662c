"""How memory grows while a long video is indexed, as a user runs it: all lanes on, the commit to the index included.

The baseline is what this process and its children hold after the models were loaded and a short film was indexed.
Growth is the peak over the long film above that baseline. The slope is a straight line through the second half of the
run: what an even longer film would add.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from benchmarks.report import Figure, arguments, report
from benchmarks.workload import ENCODER, make_encoder, make_film
from services.container import Container
from services.indexing import Outcome
from services.settings import Settings, VisualSettings

_WIDTH, _HEIGHT, _FPS, _SCENE_S, _CUE_S = 320, 180, 5, 8, 5
_SHORT_S = 600
_EVERY_S = 0.2
_MB = 1 << 20


@dataclass(slots=True)
class Trace:
    """Resident memory of this process and its children over time: seconds, and bytes."""

    times_s: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)

    def sample(self) -> None:
        self.times_s.append(time.perf_counter())
        self.resident.append(resident_bytes())

    @property
    def seconds(self) -> float:
        return self.times_s[-1] - self.times_s[0]

    def slope(self) -> float:
        """Bytes a second, by least squares over the second half."""
        half = len(self.times_s) // 2
        return float(np.polyfit(self.times_s[half:], self.resident[half:], 1)[0])


def resident_bytes() -> int:
    """Resident memory of this process and everything it started."""
    total = 0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


@contextmanager
def watched() -> Iterator[Trace]:
    """A trace of what happens inside, sampled by a thread; complete when it is left."""
    trace, done = Trace(), threading.Event()

    def watch() -> None:
        while not done.wait(_EVERY_S):
            trace.sample()

    trace.sample()
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield trace
    finally:
        done.set()
        thread.join()
        trace.sample()


def run(hours: float) -> list[Figure]:
    """Memory over a film of that length."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        short = _make_film(folder / "short.mp4", _SHORT_S)
        long = _make_film(folder / "long.mp4", int(hours * 3600))
        container = _container(folder)
        try:
            _index(container, short)
            baseline = resident_bytes()
            with watched() as trace:
                segments = _index(container, long)
        finally:
            container.close()
    return _figures(trace, baseline, segments, hours)


def _figures(trace: Trace, baseline: int, segments: int, hours: float) -> list[Figure]:
    growth = (max(trace.resident) - baseline) / _MB
    speed = hours * 3600 / trace.seconds
    return [
        Figure("baseline: models loaded, ten minutes indexed", baseline / _MB, "MB"),
        Figure(f"film of {hours:g} h, {segments} segments, indexed in", trace.seconds, "s"),
        Figure("peak", max(trace.resident) / _MB, "MB"),
        Figure("slope over the second half", trace.slope() / _MB / speed * 3600, "MB/h of video"),
        Figure(f"growth, {ENCODER}, MiniLM, RapidOCR", growth / hours, "MB/h of video", 10.0, at_least=False),
    ]


def _container(folder: Path) -> Container:
    visual = VisualSettings(model=make_encoder(folder / "encoder"))
    return Container(Settings().model_copy(update={"home": folder / "home", "visual": visual}))


def _index(container: Container, film: Path) -> int:
    (line,) = container.indexing.index([film], "benchmark")
    if line.asset is None or line.outcome is not Outcome.INDEXED:
        raise RuntimeError(f"{line.name}: {line.outcome} {line.reason}")
    return line.asset.segments


def _make_film(path: Path, seconds: int) -> Path:
    make_film(path, seconds, _WIDTH, _HEIGHT, _FPS, _SCENE_S)
    cues = (_cue(number, number * _CUE_S) for number in range(seconds // _CUE_S))
    path.with_suffix(".srt").write_text("\n".join(cues), "utf-8")
    return path


def _cue(number: int, start_s: int) -> str:
    words = f"Remark {number}: the train to pier {number * 7919 % 97} leaves with carriage {number * 104729 % 89}."
    return f"{number + 1}\n{_clock(start_s)} --> {_clock(start_s + _CUE_S - 1)}\n{words}\n"


def _clock(time_s: int) -> str:
    return f"{time_s // 3600:02d}:{time_s // 60 % 60:02d}:{time_s % 60:02d},000"


if __name__ == "__main__":
    parser = arguments(__doc__ or "")
    parser.add_argument("--hours", type=float, default=2.0, help="length of the film")
    given = parser.parse_args()
    sys.exit(report("memory", run(given.hours), given.check, given.json))
