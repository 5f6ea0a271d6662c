"""The pass over a video: frames become picture segments and on-screen text, cues and speech become passages.

Every stretch of `checkpoint_s` seconds is complete in itself: its frames are chosen on a grid of the whole video, its
first frame opens a segment, text is read anew. That costs one detection a minute and makes a resumed run equal to an
uninterrupted one; `indexer.assembly` joins what the boundaries cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.artifacts import Checkpoint
from indexer.media.process import MediaProcess
from indexer.media.video import FramePlan
from indexer.passages import Passage, cue_passages, screen_passages
from indexer.passes.backlog import Backlog, Pending
from indexer.passes.checkpoints import build_checkpoint
from indexer.passes.tools import Encoding, Models, PassSettings, embed_passages
from indexer.readers.screen_text import ScreenText
from indexer.sampling import signature
from indexer.stages import Stage
from indexer.types import Frame, MediaInfo, Origin, Segment, TextLine, Vectors


@dataclass(slots=True)
class _Stretch:
    """One checkpoint in the making."""

    number: int
    encoding: Encoding
    screen: ScreenText | None
    speech: Future[list[TextLine]] | None
    starts: list[float] = field(default_factory=list)
    signatures: list[NDArray[np.uint8]] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)


class VideoPass:
    """Decodes a video once and yields its checkpoints in order, from `first` on; overlaps decoding with the models."""

    def __init__(
        self, media: MediaProcess, models: Models, settings: PassSettings, encode: Stage, read: Stage, listen: Stage
    ) -> None:
        self._media, self._models, self._settings = media, models, settings
        self._encode, self._read, self._listen = encode, read, listen
        self._sound = MediaProcess(media.limits)
        self.end_s: float | None = None
        self.warnings: tuple[str, ...] = ()

    def checkpoints(self, path: Path, info: MediaInfo, sidecars: bool, first: int) -> Iterator[Checkpoint]:
        """The checkpoints, each as soon as it is complete; `end_s` and `warnings` are known after the last one."""
        cues = self._cues(path, info, sidecars)
        self._warn_of_silence(info)
        backlog = Backlog(1)
        try:
            for pending in self._stretches(path, info, cues, first):
                if pending is not None:
                    backlog.add(pending)
                yield from backlog.ready()
            yield from backlog.rest()
        finally:
            self._sound.close()

    def _warn_of_silence(self, info: MediaInfo) -> None:
        """Say so where a recording leaves nothing to find it by but words that nobody wrote down."""
        if not info.sees and self._models.speech is None:
            self.warnings += ("has no pictures, and speech is not written down: no speech model is named",)

    def _cues(self, path: Path, info: MediaInfo, sidecars: bool) -> list[Passage]:
        if not info.subtitle_streams and not sidecars:
            return []
        lines, warnings = self._media.subtitles(path, sidecars)
        self.warnings += warnings
        return cue_passages(lines)

    def _stretches(self, path: Path, info: MediaInfo, cues: Sequence[Passage], first: int) -> Iterator[Pending | None]:
        """The stretches as they are closed, and None for every frame, so that a finished one need not wait."""
        length_s = self._settings.checkpoint_s
        stretch = self._open(path, info, first)
        for frame in self._frames(path, info, first * length_s):
            while int(frame.time_s // length_s) > stretch.number:
                yield self._close(stretch, (stretch.number + 1) * length_s, cues)
                stretch = self._open(path, info, stretch.number + 1)
            self._take(stretch, frame)
            yield None
        end_s = max(self.end_s or 0.0, max((cue.end_s or 0.0 for cue in cues), default=0.0) if not info.sees else 0.0)
        self.end_s = end_s
        while stretch.number < math.ceil(end_s / length_s):
            boundary = (stretch.number + 1) * length_s
            yield self._close(stretch, min(boundary, end_s), cues)
            stretch = self._open(path, info, stretch.number + 1)

    def _frames(self, path: Path, info: MediaInfo, start_s: float) -> Iterator[Frame]:
        self.end_s = info.duration_s
        if not info.sees:
            return
        settings = self._settings
        plan = FramePlan(fps=settings.fps, fps_floor=settings.fps_floor, start_s=start_s, max_px=settings.read_px)
        with closing(self._media.frames(path, plan)) as frames:
            yield from frames
        self.end_s = frames.report.end_s
        self.warnings += frames.report.warnings

    def _open(self, path: Path, info: MediaInfo, number: int) -> _Stretch:
        models, settings = self._models, self._settings
        return _Stretch(
            number=number,
            encoding=Encoding(models.visual, self._encode, settings.batch, settings.picture_px, models.tokens),
            screen=None if models.reader is None else ScreenText(models.reader),
            speech=self._hear(path, info, number),
        )

    def _hear(self, path: Path, info: MediaInfo, number: int) -> Future[list[TextLine]] | None:
        speech, length_s = self._models.speech, self._settings.checkpoint_s
        if speech is None or not info.hears:
            return None
        start_s = number * length_s
        return self._listen.submit(lambda: speech.read(self._sound.audio(path, start_s, start_s + length_s)))

    def _take(self, stretch: _Stretch, frame: Frame) -> None:
        look = signature(frame.rgb)
        if stretch.signatures and self._settings.near_duplicates.same(stretch.signatures[-1], look):
            stretch.frames[-1] += 1
        else:
            stretch.frames.append(1)
            stretch.starts.append(frame.time_s)
            stretch.signatures.append(look)
            stretch.encoding.add(frame.rgb)
        if (screen := stretch.screen) is not None:
            self._read.submit(lambda: screen.see(frame.time_s, frame.rgb))

    def _close(self, stretch: _Stretch, end_s: float, cues: Sequence[Passage]) -> Pending:
        start_s = stretch.number * self._settings.checkpoint_s
        own_cues = [cue for cue in cues if start_s <= (cue.start_s or 0.0) < start_s + self._settings.checkpoint_s]
        pictures = [_picture(start, end) for start, end in pairwise([*stretch.starts, end_s])]
        looks = tuple(look.tobytes() for look in (*stretch.signatures[:1], *stretch.signatures[-1:]))
        encoded = stretch.encoding.close()
        written = self._read.submit(lambda: self._passages(stretch, end_s, own_cues))

        def result() -> Checkpoint:
            passages, text = written.result()
            frames = stretch.frames
            return build_checkpoint(
                stretch.number, end_s, sum(frames), pictures, encoded(), passages, text, looks, frames
            )

        return Pending((*stretch.encoding.parts, written), result)

    def _passages(
        self, stretch: _Stretch, end_s: float, cues: Sequence[Passage]
    ) -> tuple[list[Passage], Vectors | None]:
        seen = [] if stretch.screen is None else screen_passages(stretch.screen.finish(end_s))
        heard = [] if stretch.speech is None else cue_passages(stretch.speech.result())
        passages = sorted((*seen, *cues, *heard), key=lambda passage: (passage.start_s or 0.0, passage.origin))
        return passages, embed_passages(self._models.text, passages)


def _picture(start_s: float, end_s: float) -> Segment:
    return Segment(ordinal=0, origin=Origin.PICTURE, start_s=start_s, end_s=end_s)
