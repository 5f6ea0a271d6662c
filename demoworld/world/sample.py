"""The drawn part of the demo archive: a video without words, photos and a report, and what there is to ask of them."""

from __future__ import annotations

from pathlib import Path

from demoworld.world.photos import write_photos
from demoworld.world.questions import Question, QuestionKind, generate_questions
from demoworld.world.reports import write_report
from demoworld.world.truth import VideoTruth
from demoworld.world.video_rendering import VideoSpec, render_video

SAMPLE_VIDEO = VideoSpec(seed=7, seconds=100)
_SAMPLE_KINDS = (
    QuestionKind.VISIBLE_AT,
    QuestionKind.WHEN,
    QuestionKind.FIRST,
    QuestionKind.HOW_MANY,
    QuestionKind.ABSENT,
)


def make_sample(folder: Path) -> VideoTruth:
    """Write the video, six photos and a report of two pages into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    write_photos(folder / "photos", seed=7, count=6)
    write_report(folder / "sightings.pdf", seed=7, pages=2)
    return render_video(SAMPLE_VIDEO, folder / "camera.mp4")


def select_questions(truth: VideoTruth) -> list[Question]:
    """What to ask of the video: what is seen, when, what came first, how many, and of a thing that never appears."""
    candidates = generate_questions(truth, truth.seed, 1)
    return [question for kind in _SAMPLE_KINDS for question in candidates if question.kind is kind]
