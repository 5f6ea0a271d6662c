"""Ground truth of generated videos, stored beside them as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from demoworld.truth import write_json
from demoworld.world.script import Shot


@dataclass(frozen=True, slots=True)
class EventTruth:
    """One event: `count` of `concept` visible in `place` during `[start_s, end_s)`, and how it moved."""

    concept: str
    count: int
    place: str
    night: bool
    motion: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class ShotTruth:
    """A place during `[start_s, end_s)`; `sign` is the text of the sign that stands there."""

    place: str
    night: bool
    start_s: float
    end_s: float
    sign: str | None


@dataclass(frozen=True, slots=True)
class VideoTruth:
    """The truth of one video; shots and events are in order of time."""

    file: str
    seed: int
    seconds: float
    stretches: tuple[ShotTruth, ...]
    events: tuple[EventTruth, ...]

    def collect_concepts(self) -> set[str]:
        """Return the names of all concepts that appear."""
        return {event.concept for event in self.events}


def build_video_truth(file: str, seed: int, seconds: float, shots: list[Shot]) -> VideoTruth:
    """Build the truth of a video that consists of these shots."""
    stretches = tuple(
        ShotTruth(shot.place, shot.night, shot.start_s, shot.end_s, shot.sign.text if shot.sign else None)
        for shot in shots
    )
    events = sorted((event for shot in shots for event in _shot_events(shot)), key=lambda event: event.start_s)
    return VideoTruth(file, seed, seconds, stretches, tuple(events))


def write_video_truth(truth: VideoTruth, video: Path) -> Path:
    """Write the truth beside the video as `NAME.truth.json`; returns its path."""
    return write_json(video.with_suffix(".truth.json"), truth)


def read_video_truth(path: Path) -> VideoTruth:
    """Read a video's truth file. Errors: msgspec.ValidationError where it has another shape."""
    return msgspec.json.decode(path.read_bytes(), type=VideoTruth)


def _shot_events(shot: Shot) -> Iterator[EventTruth]:
    for event in shot.events:
        yield EventTruth(
            event.concept, event.count, shot.place, shot.night, event.motion.value, event.start_s, event.end_s
        )
