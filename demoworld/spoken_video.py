"""The sample video that speaks: a slide that tells nothing, and the news that are read over it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from importlib import resources
from pathlib import Path

import av
import numpy as np

from demoworld.slides import Slide, draw_slide
from demoworld.truth import Fact
from demoworld.video_encoding import BITEXACT_OPTIONS, Cue, configure_stream
from indexer.types import AssetKind

SPEECH_SPEC, SPEECH_FILE = "harbour_radio.toml", "harbour_radio.opus"


@dataclass(frozen=True, slots=True)
class SpokenFilm:
    """A video of one slide, over which the sentences of a recording are read, each in its span."""

    file: str
    date: date
    size: tuple[int, int]
    fps: int
    scene: Slide
    sentences: tuple[Cue, ...]


def write_spoken_video(film: SpokenFilm, root: Path) -> list[Fact]:
    """Encode a film with its recording as H.264 and AAC; returns its spoken facts. Errors: OSError."""
    path = root / film.file
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        resources.as_file(resources.files("demoworld") / "data" / SPEECH_FILE) as recording,
        av.open(recording) as source,
        av.open(path, "w", format="mp4", container_options=BITEXACT_OPTIONS) as target,
    ):
        options = {"flags": "+bitexact", "preset": "superfast", "crf": "21", "g": "125"}
        video = configure_stream(target.add_stream("libx264", rate=film.fps, options=options), film.size, film.fps)
        sound = target.add_stream("aac", rate=48_000, options={"flags": "+bitexact"})
        sound.layout = "mono"
        resampler = av.AudioResampler("fltp", "mono", 48_000, frame_size=1024)
        for frame in source.decode(audio=0):
            for block in resampler.resample(frame):
                target.mux(sound.encode(block))
        for block in resampler.resample(None):
            target.mux(sound.encode(block))
        picture = av.VideoFrame.from_ndarray(np.asarray(draw_slide(film.scene, film.size).image), format="rgb24")
        picture = picture.reformat(format="yuv420p")
        for number in range(round(film.scene.seconds * film.fps)):
            picture.pts, picture.time_base = number, Fraction(1, film.fps)
            target.mux(video.encode(picture))
        target.mux(sound.encode(None))
        target.mux(video.encode(None))
    return [
        Fact(f"radio-sentence{number}", film.file, AssetKind.VIDEO, "speech", cue.text, None, *cue.span)
        for number, cue in enumerate(film.sentences, start=1)
    ]
