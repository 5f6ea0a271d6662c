"""`python -m demoworld.world`: render videos, photos and reports of the drawn world with their truth, or ask questions.

python -m demoworld.world video hour.mp4 --seconds 3600 --seed 5 --narrated
python -m demoworld.world photos FOLDER --count 100
python -m demoworld.world report sightings.pdf --pages 12
python -m demoworld.world questions hour.truth.json --each 10
"""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from demoworld.world.photos import write_photos
from demoworld.world.questions import generate_questions
from demoworld.world.reports import write_report
from demoworld.world.truth import read_video_truth
from demoworld.world.video_rendering import VideoSpec, render_video


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m demoworld.world", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_text in (
        ("video", "H.264 in MP4, and NAME.truth.json beside it"),
        ("photos", "JPEGs with EXIF, and photos.truth.json"),
        ("report", "a PDF, and NAME.truth.json beside it"),
        ("questions", "questions about a video, from its truth, one JSON object a line"),
    ):
        command = commands.add_parser(name, help=help_text)
        command.add_argument("path", type=Path)
        command.add_argument("--seed", type=int, default=1)
        if name == "video":
            command.add_argument("--seconds", type=float, default=600.0)
            command.add_argument("--narrated", action="store_true", help="write narration to an .srt file beside it")
        elif name == "questions":
            command.add_argument("--each", type=int, default=10, help="questions of each kind, at most")
        else:
            command.add_argument("--count", "--pages", type=int, default=10, help="photos, or pages")
    _run_command(parser.parse_args())


def _run_command(args: argparse.Namespace) -> None:
    match args.command:
        case "video":
            truth = render_video(VideoSpec(args.seed, args.seconds, with_narration=args.narrated), args.path)
            print(f"{args.path}: {truth.seconds:g} s, {len(truth.events)} events")  # noqa: T201 - the command's output
        case "photos":
            print(f"{len(write_photos(args.path, args.seed, args.count))} photos in {args.path}")  # noqa: T201
        case "report":
            print(f"{args.path}: {len(write_report(args.path, args.seed, args.count).sightings)} pages")  # noqa: T201
        case _:
            for question in generate_questions(read_video_truth(args.path), args.seed, args.each):
                print(msgspec.json.encode(question).decode())  # noqa: T201


if __name__ == "__main__":
    main()
