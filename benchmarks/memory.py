"""How memory grows while a long video is indexed, as a user runs it: all lanes on, the commit to the index included.

One process loads the models and indexes ten minutes, twice, then the long film. The baseline is the peak over the
second time: what this process and its children hold at work. Growth is the peak over the long film above that; above
what they hold at rest it is printed too. The slope goes from the third quarter of the run to the last: what an even
longer film would add.
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
from statistics import median

import psutil

from benchmarks.report import Figure, arguments, report
from benchmarks.workload import ENCODER, make_encoder, make_film
from services.container import Container
from services.indexing import Outcome
from services.settings import Settings, VisualSettings

_WIDTH, _HEIGHT, _FPS, _SCENE_S, _PAN_EVERY, _CUE_S = 320, 180, 5, 8, 5, 5
_SHORT_S = 600
_EVERY_S = 0.2
_MB = 1 << 20


@dataclass(slots=True)
class Trace:
    """Resident memory of this process and its children over time: seconds, and bytes.

    `indexed` counts the samples up to the last checkpoint; those after it are of the commit.
    """

    times_s: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    indexed: int = 0

    def sample(self) -> None:
        self.times_s.append(time.perf_counter())
        self.resident.append(resident_bytes())

    def checkpoint(self, *_: object) -> None:
        """Called when one is finished."""
        self.indexed = len(self.resident)

    @property
    def seconds(self) -> float:
        return self.times_s[-1] - self.times_s[0]

    def slope(self) -> float:
        """Bytes a second while checkpoints are made, from the median of the third quarter to that of the last."""
        quarter = self.indexed // 4
        third, last = (self.resident[n * quarter : (n + 1) * quarter] for n in (2, 3))
        return (median(last) - median(third)) / (self.times_s[3 * quarter] - self.times_s[2 * quarter])


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
        first = _make_film(folder / "first.mp4", _SHORT_S)
        second = _make_film(folder / "second.mp4", _SHORT_S + _FPS)
        long = _make_film(folder / "long.mp4", int(hours * 3600))
        container = _container(folder)
        try:
            _index(container, first, Trace())
            with watched() as loaded:
                _index(container, second, loaded)
            with watched() as trace:
                segments = _index(container, long, trace)
        finally:
            container.close()
    return _figures(loaded, trace, segments, hours)


def _figures(loaded: Trace, trace: Trace, segments: int, hours: float) -> list[Figure]:
    at_rest, baseline, peak = loaded.resident[-1] / _MB, max(loaded.resident) / _MB, max(trace.resident) / _MB
    growth, speed = peak - baseline, hours * 3600 / trace.seconds
    return [
        Figure("at rest after ten minutes", at_rest, "MB"),
        Figure("baseline, peak over ten minutes", baseline, "MB"),
        Figure(f"film of {hours:g} h, {segments} segments, indexed in", trace.seconds, "s"),
        Figure("peak", peak, "MB"),
        Figure("peak while checkpoints are made", max(trace.resident[: trace.indexed]) / _MB, "MB"),
        Figure("growth over rest", (peak - at_rest) / hours, "MB/h of video"),
        Figure("slope over the second half of the checkpoints", trace.slope() / _MB / speed * 3600, "MB/h of video"),
        Figure(f"growth, {ENCODER}, MiniLM, RapidOCR", growth / hours, "MB/h of video", 10.0, at_least=False),
    ]


def _container(folder: Path) -> Container:
    visual = VisualSettings(model=make_encoder(folder / "encoder"))
    return Container(Settings().model_copy(update={"home": folder / "home", "visual": visual}))


def _index(container: Container, film: Path, trace: Trace) -> int:
    (line,) = container.indexing.index_paths([film], "benchmark", trace.checkpoint)
    if line.asset is None or line.outcome is not Outcome.INDEXED:
        raise RuntimeError(f"{line.name}: {line.outcome} {line.reason}")
    return line.asset.segments


def _make_film(path: Path, seconds: int) -> Path:
    make_film(path, seconds, _WIDTH, _HEIGHT, _FPS, _SCENE_S, _PAN_EVERY)
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
