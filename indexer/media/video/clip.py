"""A stretch of a video, cut out as a video of its own: upright, H.264 and AAC in fragmented MP4, from time 0 on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from indexer.errors import LimitExceeded, UnsupportedMedia
from indexer.media.video.audio import read_audio
from indexer.media.video.container import Demuxer, open_media, pick_video
from indexer.media.video.decoder import Decoder
from indexer.media.video.picture import PictureMaker
from indexer.media.video.reader import Beat, first_pts, no_beat
from indexer.types import AudioSpan, Pixels

_BASE = Fraction(1, 90_000)
_SOUND_RATE, _SOUND_FRAME = 44_100, 1024
_PREROLL_S = 1.0
_RATE = 30
_MP4 = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
_H264 = {"preset": "veryfast", "crf": "23", "g": "60", "bf": "0", "threads": "1"}
"""No B-frames: without an edit list, which a stream cannot have, they would move the first picture away from 0."""


def cut_clip(
    path: Path, start_s: float, end_s: float, max_px: int, write: Callable[[bytes], None], beat: Beat = no_beat
) -> None:
    """Write what is seen and heard in `[start_s, end_s)`, piece by piece; the longer side is at most `max_px`.

    Times count from the first presented frame; the frame that is shown at `start_s` is the first. The sound is mono.
    Errors: LimitExceeded (nothing is seen or heard there), SourceNotFound, UnsupportedMedia, DamagedMedia.
    """
    pictures = _pictures(path, start_s, end_s, max_px, beat)
    first = next(pictures, None)
    sound = _sound(path, start_s, end_s, beat)
    if first is None and sound is None:
        raise LimitExceeded(str(path), f"shows and says nothing from {start_s:g} s on")
    with av.open(_Sink(write), "w", format="mp4", options=_MP4) as container:
        tracks = _Tracks(container, None if first is None else first[1], sound)
        for time_s, rgb in chain([] if first is None else [first], pictures):
            tracks.show(max(time_s - start_s, 0.0), rgb)
            beat()
        tracks.finish()


class _Sink:
    """What the muxer writes to: it goes on as it comes, nothing can be changed afterwards."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def write(self, data: bytes) -> int:
        self._write(bytes(data))
        return len(data)


class _Tracks:
    """Pictures and sound of a clip on their way into one container, the sound never far ahead of the pictures."""

    def __init__(self, container: av.container.OutputContainer, first: Pixels | None, sound: AudioSpan | None) -> None:
        self._container, self._sound = container, sound
        self._at, self._last = 0, -1
        self._pictures: av.VideoStream | None = None
        self._heard: av.AudioStream | None = None
        if first is not None:
            self._pictures = container.add_stream("libx264", rate=_RATE, options=_H264)
            self._pictures.height, self._pictures.width = (side - side % 2 for side in first.shape[:2])
            self._pictures.pix_fmt = "yuv420p"
            self._pictures.codec_context.time_base = _BASE
        if sound is not None:
            self._heard = container.add_stream("aac", rate=_SOUND_RATE, layout="mono")

    def show(self, time_s: float, rgb: Pixels) -> None:
        """The next picture, shown from `time_s` of the clip on; two at one time are one."""
        assert self._pictures is not None
        pts = round(time_s / _BASE)
        if pts > self._last:
            self._last = pts
            frame = av.VideoFrame.from_ndarray(_even(rgb, self._pictures.height, self._pictures.width), format="rgb24")
            frame.pts, frame.time_base = pts, _BASE
            self._container.mux(self._pictures.encode(frame))
            self._say(time_s)

    def finish(self) -> None:
        """All that is left."""
        self._say(float("inf"))
        for stream in (self._pictures, self._heard):
            if stream is not None:
                self._container.mux(stream.encode(None))

    def _say(self, until_s: float) -> None:
        if self._heard is None or self._sound is None:
            return
        samples = self._sound.samples
        while self._at < len(samples) and self._at < until_s * _SOUND_RATE:
            part = samples[None, self._at : self._at + _SOUND_FRAME]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = _SOUND_RATE, self._at, Fraction(1, _SOUND_RATE)
            self._container.mux(self._heard.encode(frame))
            self._at += part.shape[1]


def _pictures(path: Path, start_s: float, end_s: float, max_px: int, beat: Beat) -> Iterator[tuple[float, Pixels]]:
    """The frames that are shown in the stretch, with their times, the one that is shown when it begins included."""
    with open_media(path) as container:
        stream = pick_video(container)
        if stream is None or stream.time_base is None:
            return
        origin = first_pts(path) or 0
        maker = PictureMaker(stream.sample_aspect_ratio, max_px)
        shown: tuple[float, av.VideoFrame] | None = None
        gap_s = 0.0
        for frame in _decoded(container, stream, origin + int(start_s / stream.time_base), beat):
            time_s = float(((frame.pts if frame.pts is not None else frame.dts or 0) - origin) * stream.time_base)
            if shown is not None:
                gap_s = time_s - shown[0]
                if time_s > start_s:
                    yield shown[0], maker.make(shown[1])
            shown = (time_s, frame) if time_s < end_s else None
            if shown is None:
                return
        if shown is not None and shown[0] + gap_s > start_s:  # the last of all is shown as long as the one before
            yield shown[0], maker.make(shown[1])


def _decoded(
    container: av.container.InputContainer, stream: av.VideoStream, from_pts: int, beat: Beat
) -> Iterator[av.VideoFrame]:
    """Frames from the key frame before that time on; from the start where the container cannot seek."""
    base = stream.time_base or _BASE
    try:
        container.seek(max(from_pts - int(_PREROLL_S / base), stream.start_time or 0), stream=stream)
    except (av.error.FFmpegError, OSError):
        container.seek(0)
    decoder = Decoder(stream.codec_context)
    for packet in Demuxer(container, stream):
        beat()
        yield from decoder.feed(packet)
    yield from decoder.feed(None)


def _sound(path: Path, start_s: float, end_s: float, beat: Beat) -> AudioSpan | None:
    try:
        span = read_audio(path, start_s, end_s, _SOUND_RATE, beat)
    except UnsupportedMedia:
        return None
    return span if len(span.samples) else None


def _even(rgb: Pixels, height: int, width: int) -> Pixels:
    """The picture in the size of the clip, whose sides are even; one that differs for other reasons is filled up."""
    if rgb.shape[:2] == (height, width):
        return rgb
    fitted = np.zeros((height, width, 3), np.uint8)
    part = rgb[:height, :width]
    fitted[: part.shape[0], : part.shape[1]] = part
    return fitted
