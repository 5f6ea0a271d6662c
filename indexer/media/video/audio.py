"""Sound as a speech model wants it: mono, one rate, on the clock of the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from indexer.errors import DamagedMedia, UnsupportedMedia
from indexer.media.video.container import Demuxer, open_media, pick_audio, pick_video
from indexer.media.video.reader import Beat, first_frame, no_beat
from indexer.types import AudioSpan

_PREROLL_S = 0.5
_JUMP_S = 0.1


def read_audio(path: Path, start_s: float, end_s: float, rate: int = 16_000, beat: Beat = no_beat) -> AudioSpan:
    """The sound of `[start_s, end_s)`, cut where it ends; silence where it has not begun or pauses.

    Times are seconds from the first presented frame, or from the first sample where there are no pictures.
    Errors: UnsupportedMedia (no sound), DamagedMedia (none can be decoded).
    """
    origin_s = _origin_s(path)
    samples = np.zeros(max(round((end_s - start_s) * rate), 0), np.float32)
    filled = 0
    with open_media(path) as container:
        stream = pick_audio(container)
        if stream is None:
            raise UnsupportedMedia(str(path), "has no sound")
        for time_s, part in _resampled(container, stream, origin_s + start_s, rate, beat):
            at = round((time_s - origin_s - start_s) * rate)
            if at >= len(samples):
                break
            part = part[max(-at, 0) : len(samples) - at]
            at = max(at, 0)
            samples[at : at + len(part)] = part
            filled = max(filled, at + len(part))
    return AudioSpan(start_s, rate, samples[:filled])


def _origin_s(path: Path) -> float:
    with open_media(path) as container:
        pictures = pick_video(container)
        if pictures is not None:
            return first_frame(path, container, pictures).time or 0.0
        sound = pick_audio(container)
        if sound is None:
            raise UnsupportedMedia(str(path), "has no sound")
        for frame in _decoded(container, sound, no_beat):
            return frame.time or 0.0
    raise DamagedMedia(str(path), "no sound in it can be decoded")


def _resampled(
    container: av.container.InputContainer, stream: av.AudioStream, from_s: float, rate: int, beat: Beat
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Pieces of sound and the times they begin at; a pause in the sound begins a new run of the resampler."""
    if from_s > _PREROLL_S and stream.time_base:
        try:
            container.seek(int((from_s - _PREROLL_S) / stream.time_base), stream=stream)
        except av.error.FFmpegError:
            container.seek(0)
    resampler, run_s, done, expected_s = _to_mono(rate), None, 0, 0.0
    for frame in _decoded(container, stream, beat):
        time_s = frame.time if frame.time is not None else expected_s
        if run_s is None or abs(time_s - expected_s) > _JUMP_S:
            resampler, run_s, done = _to_mono(rate), time_s, 0
        expected_s = time_s + frame.samples / frame.sample_rate
        for out in resampler.resample(frame):
            part = out.to_ndarray().reshape(-1).astype(np.float32, copy=False)
            yield run_s + done / rate, part
            done += len(part)
    if run_s is not None:
        for out in resampler.resample(None):
            yield run_s + done / rate, out.to_ndarray().reshape(-1).astype(np.float32, copy=False)


def _to_mono(rate: int) -> av.AudioResampler:
    """Channels are weighted so that the sum of full scales stays full scale."""
    return av.AudioResampler("flt", "mono", rate, options={"rematrix_maxval": "1.0"})


def _decoded(container: av.container.InputContainer, stream: av.AudioStream, beat: Beat) -> Iterator[av.AudioFrame]:
    for packet in Demuxer(container, stream):
        beat()
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
