"""Indexing pass over a video: frames become picture segments; on-screen text, subtitles and speech become passages.

Every checkpoint of `checkpoint_s` seconds is self-contained: its frames are sampled on a grid of the whole video, its
first frame opens a segment, text tracking starts anew. That costs one text detection a checkpoint and makes a resumed
run equal to an uninterrupted one; `indexer.pipeline.stitching` joins what the boundaries cut.
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

from indexer.media.sandbox.client import SandboxedDecoder
from indexer.media.video import SamplingPlan
from indexer.ocr.text_tracking import TextTracker
from indexer.pipeline.backlog import CheckpointBacklog, PendingCheckpoint
from indexer.pipeline.bounded_stage import BoundedStage
from indexer.pipeline.checkpoint_builder import build_checkpoint
from indexer.pipeline.encoding import BatchEncoder, IndexingSettings, ModelSet, embed_passages
from indexer.pipeline.listening import Listener
from indexer.pipeline.near_duplicates import compute_signature
from indexer.storage.artifacts import Checkpoint
from indexer.text.cue_passages import build_cue_passages
from indexer.text.passage import Passage
from indexer.text.passages import build_screen_passages
from indexer.text.spoken_passages import build_spoken_passages
from indexer.types import Frame, MediaInfo, Origin, Segment, TextLine, Vectors


@dataclass(slots=True)
class _OpenCheckpoint:
    """Checkpoint that is being filled with frames."""

    number: int
    encoder: BatchEncoder
    text_tracker: TextTracker | None
    speech_lines: Future[list[TextLine]] | None
    start_times_s: list[float] = field(default_factory=list)
    signatures: list[NDArray[np.uint8]] = field(default_factory=list)
    frame_counts: list[int] = field(default_factory=list)


class VideoPass:
    """Indexing pass over a video: decodes it once, in parallel with the models."""

    def __init__(
        self,
        media: SandboxedDecoder,
        models: ModelSet,
        settings: IndexingSettings,
        encode_stage: BoundedStage,
        read_stage: BoundedStage,
        listen_stage: BoundedStage,
    ) -> None:
        self._media, self._models, self._settings = media, models, settings
        self._encode_stage, self._read_stage, self._listen_stage = encode_stage, read_stage, listen_stage
        self._audio_decoder = SandboxedDecoder(media.limits)
        self._cues: list[Passage] = []
        self.end_s: float | None = None
        self.warnings: tuple[str, ...] = ()

    def run(self, path: Path, info: MediaInfo, include_sidecars: bool, first_checkpoint: int) -> Iterator[Checkpoint]:
        """Yield the checkpoints in order from number `first_checkpoint` on, each as soon as it is complete.

        `end_s` and `warnings` are known after the last one.
        """
        cues = self._cues = self._read_cues(path, info, include_sidecars)
        self._warn_if_unsearchable(info)
        backlog = CheckpointBacklog(1)
        try:
            for pending in self._start_checkpoints(path, info, cues, first_checkpoint):
                if pending is not None:
                    backlog.add(pending)
                yield from backlog.pop_ready()
            yield from backlog.drain()
        finally:
            self._audio_decoder.close()

    def _warn_if_unsearchable(self, info: MediaInfo) -> None:
        """Add a warning where a recording has no pictures and no speech model could transcribe it."""
        if not info.has_video and self._models.speech is None:
            self.warnings += ("has no pictures, and its speech is not transcribed: no speech model is configured",)

    def _read_cues(self, path: Path, info: MediaInfo, include_sidecars: bool) -> list[Passage]:
        if not info.subtitle_streams and not include_sidecars:
            return []
        lines, warnings = self._media.read_subtitles(path, include_sidecars)
        self.warnings += warnings
        return build_cue_passages(lines)

    def _warn_of_late_cues(self, cues: Sequence[Passage], end_s: float) -> None:
        """Add a warning where subtitles begin after the recording has ended; they are kept."""
        late_s = [cue.start_s or 0.0 for cue in cues if (cue.start_s or 0.0) >= end_s]
        if late_s:
            number = "a subtitle begins" if len(late_s) == 1 else f"{len(late_s)} subtitles begin"
            self.warnings += (f"{number} after its end at {end_s:.1f} s, the last at {max(late_s):.1f} s",)

    def _start_checkpoints(
        self, path: Path, info: MediaInfo, cues: Sequence[Passage], first_checkpoint: int
    ) -> Iterator[PendingCheckpoint | None]:
        """Yield checkpoints as they are closed, and None after every frame, for the caller to yield finished ones."""
        length_s, listener = self._settings.checkpoint_s, self._make_listener(path, info)
        checkpoint = self._open_checkpoint(listener, first_checkpoint)
        for frame in self._read_frames(path, info, first_checkpoint * length_s):
            while int(frame.time_s // length_s) > checkpoint.number:
                boundary = (checkpoint.number + 1) * length_s
                yield self._close_checkpoint(checkpoint, boundary, _starting_before(cues, boundary))
                checkpoint = self._open_checkpoint(listener, checkpoint.number + 1)
            self._add_frame(checkpoint, frame)
            yield None
        if self.end_s is None:
            self.end_s = max((cue.end_s or 0.0 for cue in cues), default=0.0)
        self._warn_of_late_cues(cues, self.end_s)
        last = math.ceil(self.end_s / length_s) - 1
        while checkpoint.number < last:
            boundary = (checkpoint.number + 1) * length_s
            yield self._close_checkpoint(checkpoint, boundary, _starting_before(cues, boundary))
            checkpoint = self._open_checkpoint(listener, checkpoint.number + 1)
        if checkpoint.number == last:
            yield self._close_checkpoint(checkpoint, self.end_s, cues)

    def _read_frames(self, path: Path, info: MediaInfo, start_s: float) -> Iterator[Frame]:
        self.end_s = info.duration_s
        if not info.has_video:
            return
        settings = self._settings
        plan = SamplingPlan(fps=settings.fps, fps_floor=settings.fps_floor, start_s=start_s, max_px=settings.read_px)
        with closing(self._media.read_frames(path, plan)) as frames:
            yield from frames
        self.end_s = frames.report.end_s
        self.warnings += frames.report.warnings

    def _make_listener(self, path: Path, info: MediaInfo) -> Listener | None:
        speech = self._models.speech
        if speech is None or not info.has_audio:
            return None
        return Listener(path, speech, self._audio_decoder, self._listen_stage, self._settings.checkpoint_s)

    def _open_checkpoint(self, listener: Listener | None, number: int) -> _OpenCheckpoint:
        models, settings = self._models, self._settings
        return _OpenCheckpoint(
            number=number,
            encoder=BatchEncoder(
                models.visual,
                self._encode_stage,
                settings.batch,
                settings.picture_px,
                models.token_encoder,
                None if models.frame_ocr is None else settings.read_px,
            ),
            text_tracker=None if models.frame_ocr is None else TextTracker(models.frame_ocr),
            speech_lines=None if listener is None else listener.submit(number),
        )

    def _add_frame(self, checkpoint: _OpenCheckpoint, frame: Frame) -> None:
        frame_signature = compute_signature(frame.rgb)
        if checkpoint.signatures and self._settings.near_duplicates.is_near_duplicate(
            checkpoint.signatures[-1], frame_signature
        ):
            checkpoint.frame_counts[-1] += 1
        else:
            checkpoint.frame_counts.append(1)
            checkpoint.start_times_s.append(frame.time_s)
            checkpoint.signatures.append(frame_signature)
            checkpoint.encoder.add(frame.rgb)
        if (tracker := checkpoint.text_tracker) is not None:
            self._read_stage.submit(lambda: tracker.update(frame.time_s, frame.rgb))

    def _close_checkpoint(
        self, checkpoint: _OpenCheckpoint, end_s: float, cues: Sequence[Passage]
    ) -> PendingCheckpoint:
        start_s = checkpoint.number * self._settings.checkpoint_s
        own_cues = [cue for cue in cues if (cue.start_s or 0.0) >= start_s]
        pictures = [_picture_segment(start, end) for start, end in pairwise([*checkpoint.start_times_s, end_s])]
        edge_signatures = tuple(
            signature.tobytes() for signature in (*checkpoint.signatures[:1], *checkpoint.signatures[-1:])
        )
        collect_pictures = checkpoint.encoder.close()
        passages_future = self._read_stage.submit(lambda: self._build_passages(checkpoint, end_s, own_cues))

        def result() -> Checkpoint:
            """Wait for the passages and pictures, and build the checkpoint from them; raise what a task raised."""
            passages, text = passages_future.result()
            frame_counts = checkpoint.frame_counts
            return build_checkpoint(
                checkpoint.number,
                end_s,
                sum(frame_counts),
                pictures,
                collect_pictures(),
                passages,
                text,
                edge_signatures,
                frame_counts,
            )

        return PendingCheckpoint((*checkpoint.encoder.futures, passages_future), result)

    def _build_passages(
        self, checkpoint: _OpenCheckpoint, end_s: float, cues: Sequence[Passage]
    ) -> tuple[list[Passage], Vectors | None]:
        on_screen = (
            [] if checkpoint.text_tracker is None else build_screen_passages(checkpoint.text_tracker.finish(end_s))
        )
        sentences = [] if checkpoint.speech_lines is None else checkpoint.speech_lines.result()
        spoken = build_spoken_passages(sentences, self._cues)
        passages = sorted((*on_screen, *cues, *spoken), key=lambda passage: (passage.start_s or 0.0, passage.origin))
        return passages, embed_passages(self._models.text, passages)


def _starting_before(cues: Sequence[Passage], boundary_s: float) -> list[Passage]:
    return [cue for cue in cues if (cue.start_s or 0.0) < boundary_s]


def _picture_segment(start_s: float, end_s: float) -> Segment:
    return Segment(ordinal=0, origin=Origin.PICTURE, start_s=start_s, end_s=end_s)
