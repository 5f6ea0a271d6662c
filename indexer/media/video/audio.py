"""Audio decoding and resampling to mono, aligned with the clock of the video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from indexer.errors import UnsupportedMedia
from indexer.media.video.container import Demuxer, open_media, pick_audio_stream
from indexer.media.video.continuity import ContinuousDemuxer, is_joined
from indexer.media.video.reader import SendHeartbeat, no_heartbeat
from indexer.media.video.timeline import find_start_s
from indexer.types import AudioSpan

_PREROLL_S = 0.5
"""Chosen: decoded before the span, so that the codec has settled; costs as much more decoding."""
_MAX_TIME_JUMP_S = 0.1
"""Chosen: a larger jump of timestamps is a pause; a smaller limit would cut sound whose timestamps jitter."""


def read_audio(
    path: Path, start_s: float, end_s: float, sample_rate: int = 16_000, heartbeat: SendHeartbeat = no_heartbeat
) -> AudioSpan:
    """Decode the mono audio of `[start_s, end_s)`, shorter where the file ends before.

    It is silent before the audio begins and in its pauses. Times are seconds on the timeline of the recording.
    Errors: UnsupportedMedia (no audio).
    """
    samples = np.zeros(max(round((end_s - start_s) * sample_rate), 0), np.float32)
    filled = 0
    with open_media(path) as container:
        stream = pick_audio_stream(container)
        if stream is None:
            raise UnsupportedMedia(str(path), "has no sound")
        origin_s = float(find_start_s(container))
        for time_s, part in _resample(path, container, stream, origin_s + start_s, sample_rate, heartbeat):
            at = round((time_s - origin_s - start_s) * sample_rate)
            if at >= len(samples):
                break
            part = part[max(-at, 0) : len(samples) - at]
            at = max(at, 0)
            samples[at : at + len(part)] = part
            filled = max(filled, at + len(part))
    return AudioSpan(start_s, sample_rate, samples[:filled])


def _resample(
    path: Path,
    container: av.container.InputContainer,
    stream: av.AudioStream,
    from_s: float,
    sample_rate: int,
    heartbeat: SendHeartbeat,
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Yield start times and pieces of resampled audio from `from_s` on; after a pause the resampler starts anew."""
    joined = is_joined(path)
    if from_s > _PREROLL_S and stream.time_base and not joined:
        try:
            container.seek(int((from_s - _PREROLL_S) / stream.time_base), stream=stream)
        except av.error.FFmpegError:
            container.seek(0)
    resampler, run_s, sample_count, expected_s = _mono_resampler(sample_rate), None, 0, 0.0
    packets = _packets_from(container, stream, from_s) if joined else Demuxer(container, stream)
    for frame in _decode(packets, stream, heartbeat):
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


def _packets_from(container: av.container.InputContainer, stream: av.AudioStream, from_s: float) -> Iterator[av.Packet]:
    """Yield the packets of a joined file from a time on, without a seek: its own times are not unique."""
    for packet in ContinuousDemuxer(container, stream):
        if packet.pts is None or packet.pts * packet.time_base >= from_s - _PREROLL_S:
            yield packet


def _decode(packets: Iterable[av.Packet], stream: av.AudioStream, heartbeat: SendHeartbeat) -> Iterator[av.AudioFrame]:
    """Yield the decoded audio frames; undecodable packets are skipped."""
    for packet in packets:
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
