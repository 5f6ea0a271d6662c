"""Videos of the drawn world: a script, drawn frame by frame and encoded as it goes, so that length costs no memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av

from demoworld.film import BITEXACT, Cue, fit, write_srt
from demoworld.world.claims import NUMBERS
from demoworld.world.concepts import concept
from demoworld.world.drawing import draw
from demoworld.world.places import PLACES, number_of_place
from demoworld.world.scene import Scene, Sign
from demoworld.world.script import Event, Shot, script
from demoworld.world.truth import VideoTruth, truth_of, write_video_truth

_CUE_S = 3.0


@dataclass(frozen=True, slots=True)
class Reel:
    """A video to be made; the same reel gives the same bytes with the same library versions.

    Concepts in `without` never appear, those in `once` once at most. With `narrated`, an .srt file beside it says what
    happens. With `sign`, a sign with this text stands in every shot.
    """

    seed: int
    seconds: float
    width: int = 480
    height: int = 270
    fps: int = 10
    without: tuple[str, ...] = ()
    narrated: bool = False
    sign: str = ""
    once: tuple[str, ...] = ()


def roll(reel: Reel, path: Path) -> VideoTruth:
    """Write a reel as H.264 in MP4, and its truth beside it. Errors: OSError, av.error.FFmpegError."""
    shots: list[Shot] = []
    with av.open(path, "w", format="mp4", container_options=BITEXACT) as target:
        options = {"flags": "+bitexact", "preset": "superfast", "crf": "24", "g": str(5 * reel.fps)}
        stream = fit(target.add_stream("libx264", rate=reel.fps, options=options), (reel.width, reel.height), reel.fps)
        told = script(reel.seed, reel.seconds, reel.without, once=reel.once)
        for frame in _frames(reel, _kept(_signed(reel, told), shots)):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    truth = truth_of(path.name, reel.seed, reel.seconds, shots)
    write_video_truth(truth, path)
    if reel.narrated:
        write_srt(narration(shots), path.with_suffix(".srt"))
    return truth


def narration(shots: Sequence[Shot]) -> list[Cue]:
    """What a voice would say: one sentence as each event begins; no two at once."""
    cues: list[Cue] = []
    told = sorted(((event, shot) for shot in shots for event in shot.events), key=lambda pair: pair[0].start_s)
    for event, shot in told:
        if cues and event.start_s < cues[-1].span[1]:
            continue
        cues.append(Cue((event.start_s, event.start_s + min(_CUE_S, event.end_s - event.start_s)), _told(event, shot)))
    return cues


def _told(event: Event, shot: Shot) -> str:
    known = concept(event.concept)
    what = f"A {known.name}" if event.count == 1 else f"{NUMBERS[event.count].capitalize()} {known.plural}"
    how = event.motion.value if event.count == 1 else "stay"
    return f"{what} {how} {PLACES[number_of_place(shot.place)].phrase}."


def _signed(reel: Reel, shots: Iterable[Shot]) -> Iterator[Shot]:
    for shot in shots:
        yield replace(shot, sign=Sign(reel.sign, 0.5, 0.12, 0.12)) if reel.sign else shot


def _kept(shots: Iterable[Shot], kept: list[Shot]) -> Iterator[Shot]:
    for shot in shots:
        kept.append(shot)
        yield shot


def _frames(reel: Reel, shots: Iterable[Shot]) -> Iterator[av.VideoFrame]:
    number, last, drawn = 0, None, None
    for shot in shots:
        while number / reel.fps < shot.end_s:
            scene: Scene = shot.scene(number / reel.fps)
            if drawn is None or scene != last:
                pixels = draw(scene, reel.width, reel.height)
                drawn, last = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p"), scene
            drawn.pts, drawn.time_base = number, Fraction(1, reel.fps)
            yield drawn
            number += 1
