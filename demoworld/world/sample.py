"""The drawn part of the demo archive: a video without words, photos and a report, and what there is to ask of them."""

from __future__ import annotations

from pathlib import Path

from demoworld.world.questions import Kind, Question, questions
from demoworld.world.reports import print_report
from demoworld.world.rolling import Reel, roll
from demoworld.world.snapshots import take_photos
from demoworld.world.truth import VideoTruth

REEL = Reel(seed=7, seconds=100)
_ASKED = (Kind.WHAT, Kind.WHEN, Kind.FIRST, Kind.HOW_MANY, Kind.ABSENT)


def make_sample(folder: Path) -> VideoTruth:
    """Write the video, six photos and a report of two pages into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    take_photos(folder / "photos", seed=7, count=6)
    print_report(folder / "sightings.pdf", seed=7, pages=2)
    return roll(REEL, folder / "camera.mp4")


def asked_of(truth: VideoTruth) -> list[Question]:
    """What to ask of the video: what is seen, when, what came first, how many, and of a thing that never appears."""
    asked = questions(truth, truth.seed, 1)
    return [question for kind in _ASKED for question in asked if question.kind is kind]
