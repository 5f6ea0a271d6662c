"""Audio decoding and resampling to mono, aligned with the clock of the video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from indexer.errors import DamagedMedia, UnsupportedMedia
from indexer.media.video.container import Demuxer, open_media, pick_audio_stream, pick_video_stream
from indexer.media.video.reader import SendHeartbeat, decode_first_frame, no_heartbeat
from indexer.types import AudioSpan

_PREROLL_S = 0.5
"""Chosen: decoded before the span, so that the codec has settled; costs as much more decoding."""
_MAX_TIME_JUMP_S = 0.1
"""Chosen: a larger jump of timestamps is a pause; a smaller limit would cut sound whose timestamps jitter."""


def read_audio(
    path: Path, start_s: float, end_s: float, sample_rate: int = 16_000, heartbeat: SendHeartbeat = no_heartbeat
) -> AudioSpan:
    """Decode the mono audio of `[start_s, end_s)`, shorter where the file ends before.

    It is silent before the audio begins and in its pauses. Times are seconds from the first presented frame, or from
    the first sample where there is no video.
    Errors: UnsupportedMedia (no audio), DamagedMedia (none can be decoded).
    """
    origin_s = _origin_s(path)
    samples = np.zeros(max(round((end_s - start_s) * sample_rate), 0), np.float32)
    filled = 0
    with open_media(path) as container:
        stream = pick_audio_stream(container)
        if stream is None:
            raise UnsupportedMedia(str(path), "has no sound")
        for time_s, part in _resample(container, stream, origin_s + start_s, sample_rate, heartbeat):
            at = round((time_s - origin_s - start_s) * sample_rate)
            if at >= len(samples):
                break
            part = part[max(-at, 0) : len(samples) - at]
            at = max(at, 0)
            samples[at : at + len(part)] = part
            filled = max(filled, at + len(part))
    return AudioSpan(start_s, sample_rate, samples[:filled])


def _origin_s(path: Path) -> float:
    """Return the time of the first presented frame, or of the first sample where there is no video."""
    with open_media(path) as container:
        video = pick_video_stream(container)
        if video is not None:
            return decode_first_frame(path, container, video).time or 0.0
        audio = pick_audio_stream(container)
        if audio is None:
            raise UnsupportedMedia(str(path), "has no sound")
        for frame in _decode(container, audio, no_heartbeat):
            return frame.time or 0.0
    raise DamagedMedia(str(path), "no sound in it can be decoded")


def _resample(
    container: av.container.InputContainer,
    stream: av.AudioStream,
    from_s: float,
    sample_rate: int,
    heartbeat: SendHeartbeat,
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Yield start times and pieces of resampled audio from `from_s` on; after a pause the resampler starts anew."""
    if from_s > _PREROLL_S and stream.time_base:
        try:
            container.seek(int((from_s - _PREROLL_S) / stream.time_base), stream=stream)
        except av.error.FFmpegError:
            container.seek(0)
    resampler, run_s, sample_count, expected_s = _mono_resampler(sample_rate), None, 0, 0.0
    for frame in _decode(container, stream, heartbeat):
        time_s = frame.time if frame.time is not None else expected_s
        if run_s is None or abs(time_s - expected_s) > _MAX_TIME_JUMP_S:
            resampler, run_s, sample_count = _mono_resampler(sample_rate), time_s, 0
        expected_s = time_s + frame.samples / frame.sample_rate
        for out in resampler.resample(frame):
            part = out.to_ndarray().reshape(-1).astype(np.float32, copy=False)
            yield run_s + sample_count / sample_rate, part
            sample_count += len(part)
    if run_s is not None:
        for out in resampler.resample(None):
            yield run_s + sample_count / sample_rate, out.to_ndarray().reshape(-1).astype(np.float32, copy=False)


def _mono_resampler(sample_rate: int) -> av.AudioResampler:
    """Return a resampler to mono float samples whose mix of full-scale channels is full scale."""
    return av.AudioResampler("flt", "mono", sample_rate, options={"rematrix_maxval": "1.0"})


def _decode(
    container: av.container.InputContainer, stream: av.AudioStream, heartbeat: SendHeartbeat
) -> Iterator[av.AudioFrame]:
    """Yield the decoded audio frames; undecodable packets are skipped."""
    for packet in Demuxer(container, stream):
        heartbeat()
        try:
            yield from packet.decode()
        except av.error.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
    try:
        yield from stream.codec_context.decode(None)
    except av.error.FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
