"""`make demo`: draw the sample archive, index it, ask it questions, all through the installed command."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from demoworld.archive import make_archive

_TOUR = (
    ("ask", "What is the notice period once probation is over?"),
    ("ask", "Which ferry was hauled out on the slipway in 2022?"),
    ("ask", "Where do I find the key to the lifejacket cupboard?"),
    ("ask", "When does the earliest boat to Velmoray Harbour leave Kettlewick?"),
    ("ask", "price of the mooring rope"),
    ("ask", "What was wrong with the bilge pumps of the Sandpiper?"),
    ("search", "lifejackets", "--limit", "4"),
    ("ask", "What is the Wi-Fi password of the Berlin office?"),
)
_FINE = (0, 3)


def tour(folder: Path) -> int:
    """Run the tour in `folder`; gives the number of commands that failed (finding nothing is no failure)."""
    archive = folder / "archive"
    if not (archive / "truth.json").exists():
        print("drawing the sample archive …", flush=True)  # noqa: T201
        make_archive(archive)
    commands = [("index", str(archive)), *_TOUR]
    return sum(_run(folder / "home", command) not in _FINE for command in commands)


def _run(home: Path, command: tuple[str, ...]) -> int:
    print(f"\n$ afterimage {shlex.join(command)}", flush=True)  # noqa: T201
    environment = os.environ | {"AFTERIMAGE_PROFILE": "demo", "AFTERIMAGE_HOME": str(home.resolve())}
    return subprocess.run([sys.executable, "-m", "api.cli", *command], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(1 if tour(Path(sys.argv[1])) else 0)
