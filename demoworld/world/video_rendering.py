"""Video rendering of the drawn world: a script is drawn frame by frame and encoded as it goes, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av

from demoworld.video_encoding import BITEXACT_OPTIONS, Cue, configure_stream, write_srt
from demoworld.world.claims import NUMBER_WORDS
from demoworld.world.concepts import get_concept
from demoworld.world.places import PLACES, place_index
from demoworld.world.rendering import render_scene
from demoworld.world.scene import Scene, Sign
from demoworld.world.script import SceneEvent, Shot, generate_shots
from demoworld.world.truth import VideoTruth, build_video_truth, write_video_truth

_MAX_CUE_S = 3.0


@dataclass(frozen=True, slots=True)
class VideoSpec:
    """A video to render; the same spec gives the same bytes with the same library versions.

    Concepts in `excluded_concepts` never appear, those in `single_concepts` at most once. `with_narration` writes an
    .srt file of what happens. A `sign_text` is shown on a sign in every shot.
    """

    seed: int
    seconds: float
    width: int = 480
    height: int = 270
    fps: int = 10
    excluded_concepts: tuple[str, ...] = ()
    with_narration: bool = False
    sign_text: str = ""
    single_concepts: tuple[str, ...] = ()


def render_video(spec: VideoSpec, path: Path) -> VideoTruth:
    """Render a video as H.264 in MP4, with its truth beside it. Errors: OSError, av.error.FFmpegError."""
    shots: list[Shot] = []
    with av.open(path, "w", format="mp4", container_options=BITEXACT_OPTIONS) as target:
        options = {"flags": "+bitexact", "preset": "superfast", "crf": "24", "g": str(5 * spec.fps)}
        stream = configure_stream(
            target.add_stream("libx264", rate=spec.fps, options=options), (spec.width, spec.height), spec.fps
        )
        shots_to_render = generate_shots(
            spec.seed, spec.seconds, spec.excluded_concepts, single_concepts=spec.single_concepts
        )
        for frame in _render_frames(spec, _record_shots(_add_signs(spec, shots_to_render), shots)):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    truth = build_video_truth(path.name, spec.seed, spec.seconds, shots)
    write_video_truth(truth, path)
    if spec.with_narration:
        write_srt(narrate(shots), path.with_suffix(".srt"))
    return truth


def narrate(shots: Sequence[Shot]) -> list[Cue]:
    """Return narration cues: one sentence as each event begins, none overlapping."""
    cues: list[Cue] = []
    events = sorted(((event, shot) for shot in shots for event in shot.events), key=lambda pair: pair[0].start_s)
    for event, shot in events:
        if cues and event.start_s < cues[-1].span[1]:
            continue
        cues.append(
            Cue(
                (event.start_s, event.start_s + min(_MAX_CUE_S, event.end_s - event.start_s)),
                _describe_event(event, shot),
            )
        )
    return cues


def _describe_event(event: SceneEvent, shot: Shot) -> str:
    known = get_concept(event.concept)
    subject = f"A {known.name}" if event.count == 1 else f"{NUMBER_WORDS[event.count].capitalize()} {known.plural}"
    verb = event.motion.value if event.count == 1 else "stay"
    return f"{subject} {verb} {PLACES[place_index(shot.place)].phrase}."


def _add_signs(spec: VideoSpec, shots: Iterable[Shot]) -> Iterator[Shot]:
    for shot in shots:
        yield replace(shot, sign=Sign(spec.sign_text, 0.5, 0.12, 0.12)) if spec.sign_text else shot


def _record_shots(shots: Iterable[Shot], recorded_shots: list[Shot]) -> Iterator[Shot]:
    for shot in shots:
        recorded_shots.append(shot)
        yield shot


def _render_frames(spec: VideoSpec, shots: Iterable[Shot]) -> Iterator[av.VideoFrame]:
    number, last, frame = 0, None, None
    for shot in shots:
        while number / spec.fps < shot.end_s:
            scene: Scene = shot.scene_at(number / spec.fps)
            if frame is None or scene != last:
                pixels = render_scene(scene, spec.width, spec.height)
                frame, last = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p"), scene
            frame.pts, frame.time_base = number, Fraction(1, spec.fps)
            yield frame
            number += 1
