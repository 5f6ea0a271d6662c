"""The drawn part of the sample archive: a silent video, photos and a report, and questions about the video."""

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
    """Write the video, six photos and a report of two pages into a folder, creating it if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    write_photos(folder / "photos", seed=7, count=6)
    write_report(folder / "sightings.pdf", seed=7, pages=2)
    return render_video(SAMPLE_VIDEO, folder / "camera.mp4")


def select_questions(truth: VideoTruth) -> list[Question]:
    """Select one question of each demo kind: what is visible, when, which first, how many, and an absent thing."""
    candidates = generate_questions(truth, truth.seed, 1)
    return [question for kind in _SAMPLE_KINDS for question in candidates if question.kind is kind]
