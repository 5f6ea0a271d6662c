"""`make demo`: draw the sample archive, index it, ask it questions, all through the installed command.

The archive is that of an invented ferry company, which is asked about what is written and said, and a video, photos and
a report of the drawn world, which are asked about what is seen. Its pictures are understood by a small model that was
trained on that world and knows nothing of the real one.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from demoworld.archive import make_archive
from demoworld.world.sample import asked_of, make_sample
from demoworld.world.truth import read_video_truth

_TOUR = (
    ("ask", "What is the notice period once probation is over?"),
    ("ask", "Which ferry was hauled out on the slipway in 2022?"),
    ("ask", "Where do I find the key to the lifejacket cupboard?"),
    ("ask", "price of the mooring rope"),
    ("ask", "What was wrong with the bilge pumps of the Sandpiper?"),
    ("search", "lifejackets", "--limit", "4"),
    ("ask", "What is the Wi-Fi password of the Berlin branch?"),
)
_FINE = (0, 3)


def tour(folder: Path) -> int:
    """Run the tour in `folder`; gives the number of commands that failed (finding nothing is no failure)."""
    archive, drawn = folder / "archive", folder / "archive" / "drawn"
    if not (drawn / "camera.truth.json").exists():
        print("drawing the sample archive …", flush=True)  # noqa: T201
        make_archive(archive)
        make_sample(drawn)
    home = folder / "home"
    failed = sum(_run(home, command) not in _FINE for command in (("index", str(archive)), *_TOUR))
    for text, truth in asked_of(read_video_truth(drawn / "camera.truth.json")):
        failed += _run(home, ("search", text, "--kind", "video", "--limit", "1")) not in _FINE
        print(f"   (in truth: {truth})")  # noqa: T201
    return failed


def _run(home: Path, command: tuple[str, ...]) -> int:
    print(f"\n$ afterimage {shlex.join(command)}", flush=True)  # noqa: T201
    environment = os.environ | {"AFTERIMAGE_PROFILE": "demo", "AFTERIMAGE_HOME": str(home.resolve())}
    return subprocess.run([sys.executable, "-m", "api.cli", *command], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(1 if tour(Path(sys.argv[1])) else 0)
