"""Benchmark of a run that has nothing to do: how long `index` takes to pass over an archive in which nothing changed.

Tiny pictures and recordings with subtitle files are indexed without models, and again. The second run is compared with
what no such run can avoid, a walk that looks at each file once, in the same process.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from benchmarks.report import Figure, make_parser, report
from services.ingest.types import Outcome
from tests.support.containers import open_container
from tests.support.small_archive import WITHOUT_MODELS
from tests.support.video_fixtures import make_video

_FILES_PER_FOLDER = 500
"""Chosen: as many as a camera puts into a folder."""
_RECORDINGS = 100
"""Chosen: enough that a comparison of every subtitle file with every recording shows."""
_TARGET_S = 2.0
"""Source: the aim for 1,500 files, on two cores."""


def main() -> int:
    """Run the command line."""
    parser = make_parser(__doc__ or "")
    parser.add_argument("--files", type=int, default=1500, help="files that are indexed (default: 1500)")
    parser.add_argument("--rounds", type=int, default=5, help="runs that have nothing to do (default: 5)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first_s, again_s, walk_s = measure(Path(folder), args.files, args.rounds)
    figures = [
        Figure(f"first run, {args.files} files", first_s, "s"),
        Figure(f"unchanged, {args.files} files", again_s, "s", _TARGET_S, at_least=False),
        Figure("unchanged, ratio to a walk of the files", again_s / walk_s),
        Figure("unchanged, ratio to the first run", again_s / first_s),
    ]
    return report("an archive in which nothing changed", figures, args.check, args.json)


def measure(folder: Path, files: int, rounds: int) -> tuple[float, float, float]:
    """Return the seconds of the first run, and the medians of a later run and of a walk."""
    media = _make_files(folder / "media", files)
    first_s = _time_run(folder / "home", media, Outcome.INDEXED)
    runs = [_time_run(folder / "home", media, Outcome.UNCHANGED) for _ in range(rounds)]
    walks = [_time_walk(media) for _ in range(rounds)]
    return first_s, median(runs), median(walks)


def _make_files(folder: Path, files: int) -> Path:
    folder.mkdir()
    make_video(folder / "film.mp4", count=10, rate=10, options={"preset": "ultrafast"})
    for number in range(files):
        place = folder / f"{number // _FILES_PER_FOLDER:03d}"
        place.mkdir(exist_ok=True)
        if number < _RECORDINGS:
            shutil.copy(folder / "film.mp4", place / f"film{number:04d}.mp4")
            (place / f"film{number:04d}.en.srt").write_text(f"1\n00:00:00,000 --> 00:00:00,500\nfilm {number}\n")
        else:
            pixels = np.full((8, 8, 3), (number % 256, number // 256 % 256, 7), np.uint8)
            Image.fromarray(pixels).save(place / f"photo{number:06d}.png")
    (folder / "film.mp4").unlink()
    return folder


def _time_run(home: Path, media: Path, expected: Outcome) -> float:
    with closing(open_container(home, **WITHOUT_MODELS)) as container:
        started = time.perf_counter()
        outcomes = {line.outcome for line in container.indexing.index_paths([media], "default")}
        seconds = time.perf_counter() - started
    assert outcomes == {expected}, outcomes
    return seconds


def _time_walk(media: Path) -> float:
    started = time.perf_counter()
    for place, _, names in os.walk(media):
        for name in names:
            (Path(place) / name).stat()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
