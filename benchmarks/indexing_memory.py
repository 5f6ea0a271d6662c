"""Benchmark of memory growth while a long video is indexed as a user runs it: all lanes on, index commit included.

One process loads the models and indexes ten minutes, twice, then the long film. The baseline is the peak of the process
and its children over the second time. Growth is the peak over the long film above that; the growth above what they hold
at rest is printed too. The slope goes from the third quarter of the run to the last: what an even longer film would
add.

With `--speech` the films have no subtitles and a sound track instead, which is listened to: a reading that people
recorded, then music, then silence, again and again, every five minutes.
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

import av
import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.report import Figure, make_parser, report
from benchmarks.speech_recordings import (
    DEFAULT_CACHE,
    RATE_HZ,
    fetch_readings,
    load_texts,
    make_melody,
)
from services.container import Container
from services.ingest.types import Outcome
from services.settings import Settings, VisualSettings
from tests.support.synthetic_workload import ENCODER_NAME, make_encoder, make_film

_WIDTH, _HEIGHT, _FPS, _SCENE_S, _PAN_EVERY, _CUE_S = 320, 180, 5, 8, 5, 5
_SHORT_S = 600
_SOUND_S, _MUSIC_S = 300, 60
"""Chosen: a reading of a minute and a minute of music in five: about as much speech as in films."""
_SAMPLE_INTERVAL_S = 0.2
_BYTES_PER_MB = 1 << 20


@dataclass(slots=True)
class MemoryTrace:
    """Resident memory of this process and its children over time, in seconds and bytes.

    `checkpointed_samples` counts the samples up to the last checkpoint; those after it belong to the commit.
    """

    times_s: list[float] = field(default_factory=list)
    resident_bytes: list[int] = field(default_factory=list)
    checkpointed_samples: int = 0

    def sample(self) -> None:
        """Append one sample."""
        self.times_s.append(time.perf_counter())
        self.resident_bytes.append(measure_resident_bytes())

    def mark_checkpoint(self, *_: object) -> None:
        """Note that a checkpoint is finished; takes any arguments, as a progress callback."""
        self.checkpointed_samples = len(self.resident_bytes)

    @property
    def seconds(self) -> float:
        """Duration of the trace."""
        return self.times_s[-1] - self.times_s[0]

    def measure_slope(self) -> float:
        """Return bytes a second while checkpoints are made, from the third quarter's median to the last's."""
        quarter = self.checkpointed_samples // 4
        third, last = (self.resident_bytes[n * quarter : (n + 1) * quarter] for n in (2, 3))
        return (median(last) - median(third)) / (self.times_s[3 * quarter] - self.times_s[2 * quarter])


def measure_resident_bytes() -> int:
    """Return the resident memory of this process and its descendants."""
    total = 0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


@contextmanager
def trace_memory() -> Iterator[MemoryTrace]:
    """Sample memory in a thread while the context lasts; the trace is complete on exit."""
    trace, stop = MemoryTrace(), threading.Event()

    def watch() -> None:
        while not stop.wait(_SAMPLE_INTERVAL_S):
            trace.sample()

    trace.sample()
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield trace
    finally:
        stop.set()
        thread.join()
        trace.sample()


def run(hours: float, with_speech: bool) -> list[Figure]:
    """Measure memory over a film of that length."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sound = _make_sound() if with_speech else None
        first = _make_film(folder / "first.mp4", _SHORT_S, sound)
        second = _make_film(folder / "second.mp4", _SHORT_S + _FPS, sound)
        long = _make_film(folder / "long.mp4", int(hours * 3600), sound)
        container = _container(folder)
        try:
            _index(container, first, MemoryTrace())
            with trace_memory() as baseline_trace:
                _index(container, second, baseline_trace)
            with trace_memory() as trace:
                segments = _index(container, long, trace)
        finally:
            container.close()
    return _make_figures(baseline_trace, trace, segments, hours)


def _make_figures(baseline_trace: MemoryTrace, trace: MemoryTrace, segments: int, hours: float) -> list[Figure]:
    at_rest, baseline, peak = (
        baseline_trace.resident_bytes[-1] / _BYTES_PER_MB,
        max(baseline_trace.resident_bytes) / _BYTES_PER_MB,
        max(trace.resident_bytes) / _BYTES_PER_MB,
    )
    growth, speed = peak - baseline, hours * 3600 / trace.seconds
    return [
        Figure("at rest after ten minutes", at_rest, "MB"),
        Figure("baseline, peak over ten minutes", baseline, "MB"),
        Figure(f"film of {hours:g} h, {segments} segments, indexed in", trace.seconds, "s"),
        Figure("peak", peak, "MB"),
        Figure(
            "peak while checkpoints are made",
            max(trace.resident_bytes[: trace.checkpointed_samples]) / _BYTES_PER_MB,
            "MB",
        ),
        Figure("growth over rest", (peak - at_rest) / hours, "MB/h of video"),
        Figure(
            "slope over the second half of the checkpoints",
            trace.measure_slope() / _BYTES_PER_MB / speed * 3600,
            "MB/h of video",
        ),
        Figure(f"growth, {ENCODER_NAME} and the default models", growth / hours, "MB/h of video", 10.0, at_least=False),
    ]


def _container(folder: Path) -> Container:
    visual = VisualSettings(model=make_encoder(folder / "encoder"))
    return Container(Settings().model_copy(update={"home": folder / "home", "visual": visual}))


def _index(container: Container, film: Path, trace: MemoryTrace) -> int:
    (line,) = container.indexing.index_paths([film], "benchmark", trace.mark_checkpoint)
    if line.asset is None or line.outcome is not Outcome.INDEXED:
        raise RuntimeError(f"{line.name}: {line.outcome} {line.reason}")
    return line.asset.segments


def _make_sound() -> NDArray[np.int16]:
    """Return the sound track's five minutes, `[samples]`."""
    DEFAULT_CACHE.expanduser().mkdir(parents=True, exist_ok=True)
    reading = max(fetch_readings(load_texts(), DEFAULT_CACHE.expanduser()), key=lambda each: each.duration_s)
    samples = np.concatenate([reading.samples, make_melody(_MUSIC_S, np.random.default_rng(0))])[: _SOUND_S * RATE_HZ]
    padded = np.pad(samples, (0, _SOUND_S * RATE_HZ - len(samples)))
    return np.asarray(np.clip(padded, -1, 1) * 32767, dtype=np.int16)


def _add_sound(silent: Path, sound: NDArray[np.int16], seconds: int, path: Path) -> None:
    """Write a film with a sound track, which begins anew where it ends."""
    with av.open(str(silent)) as source, av.open(str(path), "w") as film:
        pictures, track = film.add_stream_from_template(source.streams.video[0]), film.add_stream("aac", RATE_HZ)
        track.layout = "mono"
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = pictures
                film.mux(packet)
        for second in range(seconds):
            first = second % _SOUND_S * RATE_HZ
            frame = av.AudioFrame.from_ndarray(sound[None, first : first + RATE_HZ], format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE_HZ, second * RATE_HZ
            film.mux(track.encode(frame))
        film.mux(track.encode(None))


def _make_film(path: Path, seconds: int, sound: NDArray[np.int16] | None) -> Path:
    make_film(path, seconds, _WIDTH, _HEIGHT, _FPS, _SCENE_S, _PAN_EVERY)
    if sound is not None:
        silent = path.rename(path.with_suffix(".silent.mp4"))
        _add_sound(silent, sound, seconds, path)
        silent.unlink()
        return path
    cues = (_cue(number, number * _CUE_S) for number in range(seconds // _CUE_S))
    path.with_suffix(".srt").write_text("\n".join(cues), "utf-8")
    return path


def _cue(number: int, start_s: int) -> str:
    words = f"Remark {number}: the train to pier {number * 7919 % 97} leaves with carriage {number * 104729 % 89}."
    return f"{number + 1}\n{_clock(start_s)} --> {_clock(start_s + _CUE_S - 1)}\n{words}\n"


def _clock(time_s: int) -> str:
    return f"{time_s // 3600:02d}:{time_s // 60 % 60:02d}:{time_s % 60:02d},000"


if __name__ == "__main__":
    parser = make_parser(__doc__ or "")
    parser.add_argument("--hours", type=float, default=2.0, help="length of the film")
    parser.add_argument("--speech", action="store_true", help="a sound track in place of subtitles")
    args = parser.parse_args()
    sys.exit(report("indexing_memory", run(args.hours, args.speech), args.check, args.json))
