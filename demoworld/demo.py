"""`make demo`: render the sample archive, index it and ask it questions through the `afterimage` command.

The archive has two parts. That of an invented ferry company is asked about what is written and spoken (what its radio
says is only heard); a video, photos and a report of the drawn world are asked about what is visible. Search and answers
on pictures use small models trained on that world, which know nothing of the real one. The commands run in one process,
which loads torch once.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from api.cli.main import main
from demoworld.archive import load_data, make_archive
from demoworld.spoken_video import SPEECH_SPEC, SpokenFilm, write_spoken_video
from demoworld.world.sample import make_sample, select_questions
from demoworld.world.truth import read_video_truth

DEMO_COMMANDS = (
    ("ask", "What is the notice period once probation is over?"),
    ("ask", "Which ferry was hauled out on the slipway in 2022?"),
    ("ask", "Where do I find the key to the lifejacket cupboard?"),
    ("ask", "price of the mooring rope"),
    ("ask", "What was wrong with the bilge pumps of the Sandpiper?"),
    ("ask", "Until when does the swing bridge stay closed?"),
    ("search", "lifejackets", "--limit", "4"),
    ("ask", "What is the Wi-Fi password of the Berlin branch?"),
)
_ACCEPTED_EXIT_CODES = (0, 3)
VIDEO_NAME = "camera.mp4"


def run_demo(folder: Path) -> int:
    """Run the demo in `folder`; returns the number of commands that failed (finding nothing is no failure)."""
    archive, drawn_folder = folder / "archive", folder / "archive" / "drawn"
    if not (drawn_folder / "camera.truth.json").exists():
        print("drawing the sample archive …", flush=True)  # noqa: T201
        make_archive(archive)
        write_spoken_video(load_data(SPEECH_SPEC, SpokenFilm), archive)
        make_sample(drawn_folder)
    os.environ |= {"AFTERIMAGE_PROFILE": "demo", "AFTERIMAGE_HOME": str((folder / "home").resolve())}
    failed = sum(
        _run_command(command) not in _ACCEPTED_EXIT_CODES for command in (("index", str(archive)), *DEMO_COMMANDS)
    )
    for question in select_questions(read_video_truth(drawn_folder / "camera.truth.json")):
        failed += _run_command(("ask", question.text, "--asset", VIDEO_NAME)) not in _ACCEPTED_EXIT_CODES
        print(f"   (in truth: {question.answer})")  # noqa: T201
    failed += _run_command(("summarize", VIDEO_NAME)) not in _ACCEPTED_EXIT_CODES
    print("\nLook at it in a browser: make demo-serve")  # noqa: T201
    return failed


def _run_command(command: tuple[str, ...]) -> int:
    print(f"\n$ afterimage {shlex.join(command)}", flush=True)  # noqa: T201
    sys.argv = ["afterimage", *command]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


if __name__ == "__main__":
    sys.exit(1 if run_demo(Path(sys.argv[1])) else 0)
