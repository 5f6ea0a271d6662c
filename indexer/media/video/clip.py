"""Clip cutting: a span of a video re-encoded as H.264 and AAC in fragmented MP4, upright, from time 0 on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from indexer.errors import LimitExceeded, UnsupportedMedia
from indexer.media.video.audio import read_audio
from indexer.media.video.container import Demuxer, open_media, pick_video_stream
from indexer.media.video.continuity import ContinuousDemuxer, is_joined
from indexer.media.video.decoder import Decoder
from indexer.media.video.picture import FrameConverter
from indexer.media.video.reader import SendHeartbeat, no_heartbeat
from indexer.media.video.timeline import find_start_s
from indexer.types import AudioSpan, Pixels

_TIME_BASE = Fraction(1, 90_000)
"""Source: 90 kHz, the clock of MPEG systems (ISO/IEC 13818-1)."""
_AUDIO_RATE_HZ = 44_100
"""Chosen: every player supports it; costs more bits than the 16 kHz that speech needs."""
_AUDIO_FRAME_SAMPLES = 1024  # Source: AAC-LC, ISO/IEC 14496-3
_PREROLL_S = 1.0  # Chosen: a seek this much earlier finds the frame that is displayed at the start
_FRAME_RATE = 30  # Chosen: nominal rate, for the encoder's rate control only; pictures keep their own times
_MP4_OPTIONS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
_H264_OPTIONS = {"preset": "veryfast", "crf": "23", "g": "60", "bf": "0", "threads": "1"}
"""Chosen: `veryfast` and CRF 23 trade size for speed. No B-frames: without an edit list, which fragmented MP4 cannot
have, they would delay the first picture (decision 0039)."""


def cut_clip(
    path: Path,
    start_s: float,
    end_s: float,
    max_px: int,
    write: Callable[[bytes], None],
    heartbeat: SendHeartbeat = no_heartbeat,
) -> None:
    """Encode the span `[start_s, end_s)` of a video and write it piece by piece, the longer side at most `max_px`.

    Times are those of the timeline of the recording; the clip begins with the frame displayed at `start_s`, the last
    one where only sound goes on. The audio is mono. Errors: LimitExceeded (no video or audio there), SourceNotFound,
    UnsupportedMedia, DamagedMedia.
    """
    sound = _read_sound(path, start_s, end_s, heartbeat)
    pictures = _decode_pictures(path, start_s, end_s, max_px, heartbeat, holds_last=sound is not None)
    first = next(pictures, None)
    if first is None and sound is None:
        raise LimitExceeded(str(path), f"has no video or audio from {start_s:g} s on")
    with av.open(_WriteOnlyFile(write), "w", format="mp4", options=_MP4_OPTIONS) as container:
        muxer = _ClipMuxer(container, None if first is None else first[1], sound)
        for time_s, rgb in chain([] if first is None else [first], pictures):
            muxer.write_frame(max(time_s - start_s, 0.0), rgb)
            heartbeat()
        muxer.finish()


class _WriteOnlyFile:
    """File object for the muxer that passes bytes on and cannot seek."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def write(self, data: bytes) -> int:
        """Pass bytes on and return their number."""
        self._write(bytes(data))
        return len(data)


class _ClipMuxer:
    """Interleaving encoder of the pictures and the audio of a clip."""

    def __init__(self, container: av.container.OutputContainer, first: Pixels | None, sound: AudioSpan | None) -> None:
        self._container, self._audio = container, sound
        self._audio_position, self._last_pts = 0, -1
        self._video_stream: av.VideoStream | None = None
        self._audio_stream: av.AudioStream | None = None
        if first is not None:
            self._video_stream = container.add_stream("libx264", rate=_FRAME_RATE, options=_H264_OPTIONS)
            self._video_stream.height, self._video_stream.width = (side - side % 2 for side in first.shape[:2])
            self._video_stream.pix_fmt = "yuv420p"
            self._video_stream.codec_context.time_base = _TIME_BASE
        if sound is not None:
            self._audio_stream = container.add_stream("aac", rate=_AUDIO_RATE_HZ, layout="mono")

    def write_frame(self, time_s: float, rgb: Pixels) -> None:
        """Encode the next picture, displayed from `time_s` of the clip on; a second one at that time is dropped."""
        assert self._video_stream is not None
        pts = round(time_s / _TIME_BASE)
        if pts > self._last_pts:
            self._last_pts = pts
            frame = av.VideoFrame.from_ndarray(
                _fit_even_size(rgb, self._video_stream.height, self._video_stream.width), format="rgb24"
            )
            frame.pts, frame.time_base = pts, _TIME_BASE
            self._container.mux(self._video_stream.encode(frame))
            self._write_audio(time_s)

    def finish(self) -> None:
        """Encode the remaining audio and flush the encoders."""
        self._write_audio(float("inf"))
        for stream in (self._video_stream, self._audio_stream):
            if stream is not None:
                self._container.mux(stream.encode(None))

    def _write_audio(self, until_s: float) -> None:
        """Encode the audio up to a time of the clip."""
        if self._audio_stream is None or self._audio is None:
            return
        samples = self._audio.samples
        while self._audio_position < len(samples) and self._audio_position < until_s * _AUDIO_RATE_HZ:
            part = samples[None, self._audio_position : self._audio_position + _AUDIO_FRAME_SAMPLES]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = (
                _AUDIO_RATE_HZ,
                self._audio_position,
                Fraction(1, _AUDIO_RATE_HZ),
            )
            self._container.mux(self._audio_stream.encode(frame))
            self._audio_position += part.shape[1]


def _decode_pictures(
    path: Path, start_s: float, end_s: float, max_px: int, heartbeat: SendHeartbeat, holds_last: bool
) -> Iterator[tuple[float, Pixels]]:
    """Yield the pictures displayed in `[start_s, end_s)` with their times, the one displayed at `start_s` included.

    The last frame is displayed as long as the one before it, or, with `holds_last`, to the end of the recording.
    """
    with open_media(path) as container:
        stream = pick_video_stream(container)
        if stream is None or stream.time_base is None:
            return
        origin_s = find_start_s(container)
        converter = FrameConverter(stream.sample_aspect_ratio, max_px)
        current: tuple[float, av.VideoFrame] | None = None
        gap_s = 0.0
        from_pts = int((origin_s + Fraction(start_s)) / stream.time_base)
        for frame in _decode_from(container, stream, None if is_joined(path) else from_pts, heartbeat):
            pts = frame.pts if frame.pts is not None else frame.dts or 0
            time_s = float(pts * stream.time_base - origin_s)
            if current is not None:
                gap_s = time_s - current[0]
                if time_s > start_s:
                    yield current[0], converter.convert(current[1])
            current = (time_s, frame) if time_s < end_s else None
            if current is None:
                return
        if current is not None and (holds_last or current[0] + gap_s > start_s):
            yield current[0], converter.convert(current[1])


def _decode_from(
    container: av.container.InputContainer, stream: av.VideoStream, from_pts: int | None, heartbeat: SendHeartbeat
) -> Iterator[av.VideoFrame]:
    """Yield frames from the key frame before `from_pts` on; from the start for None or where a seek fails."""
    if from_pts is not None:
        try:
            preroll = int(_PREROLL_S / (stream.time_base or _TIME_BASE))
            container.seek(max(from_pts - preroll, stream.start_time or 0), stream=stream)
        except (av.error.FFmpegError, OSError):
            container.seek(0)
    decoder = Decoder(stream.codec_context)
    for packet in ContinuousDemuxer(container, stream) if from_pts is None else Demuxer(container, stream):
        heartbeat()
        yield from decoder.feed(packet)
    yield from decoder.feed(None)


def _read_sound(path: Path, start_s: float, end_s: float, heartbeat: SendHeartbeat) -> AudioSpan | None:
    """Return the audio of a span; None where there is none."""
    try:
        span = read_audio(path, start_s, end_s, _AUDIO_RATE_HZ, heartbeat)
    except UnsupportedMedia:
        return None
    return span if len(span.samples) else None


def _fit_even_size(rgb: Pixels, height: int, width: int) -> Pixels:
    """Crop or pad a picture with black to the size of the clip, whose sides are even, as H.264 requires."""
    if rgb.shape[:2] == (height, width):
        return rgb
    fitted = np.zeros((height, width, 3), np.uint8)
    part = rgb[:height, :width]
    fitted[: part.shape[0], : part.shape[1]] = part
    return fitted
