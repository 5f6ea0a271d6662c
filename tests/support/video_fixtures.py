"""Small videos whose every picture shows its own number, in black and white blocks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 320, 180
NUMBER_BITS = 12
BLOCK_PX = 24


def numbered_picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Draw a row of blocks in the upper left, bit 0 first, ended by a white and a black one; moving texture besides."""
    y, x = np.mgrid[0:height, 0:width]
    grey = 128 + 60 * np.sin((x + 3 * number) / 17) * np.cos((y - 2 * number) / 13)
    picture = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    for bit in range(NUMBER_BITS):
        picture[:BLOCK_PX, bit * BLOCK_PX : (bit + 1) * BLOCK_PX] = 235 if number >> bit & 1 else 16
    picture[BLOCK_PX : 2 * BLOCK_PX, :BLOCK_PX] = 235
    picture[BLOCK_PX : 2 * BLOCK_PX, BLOCK_PX : 2 * BLOCK_PX] = 16
    return picture


def read_number(rgb: NDArray[np.uint8]) -> int:
    """Read the number back, whatever the size; fail on a picture that is turned, mirrored or unreadable."""
    scale_y, scale_x = rgb.shape[0] / HEIGHT, rgb.shape[1] / WIDTH
    luma = rgb.astype(np.float64).mean(axis=2)

    def block_mean(row: int, column: int) -> float:
        y, x = (row + 0.5) * BLOCK_PX * scale_y, (column + 0.5) * BLOCK_PX * scale_x
        return float(luma[int(y) - 3 : int(y) + 3, int(x) - 3 : int(x) + 3].mean())

    assert block_mean(1, 0) > 180 and block_mean(1, 1) < 80, "this is no numbered picture, or it is not upright"
    return sum((block_mean(0, bit) > 128) << bit for bit in range(NUMBER_BITS))


@contextmanager
def _restore_scheduler() -> Iterator[None]:
    """SVT-AV1, run by root, makes the thread that opens it a real-time one, and so all that this one starts later: two
    of them that wait busily would stop the machine. Afterwards it is what it was."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


def make_video(
    path: Path,
    codec: str = "libx264",
    count: int = 100,
    rate: Fraction | int = 25,
    pts_values: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    rotation: int = 0,
    sample_aspect: Fraction | None = None,
    sound_s: float = 0.0,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> list[float]:
    """Write `count` numbered pictures; gives their true times, the first at 0.

    `pts_values` are in units of `time_base`.
    """
    base = time_base or 1 / Fraction(rate)
    pts_values = list(pts_values) if pts_values is not None else list(range(count))
    with _restore_scheduler(), av.open(str(path), "w", options=container_options or {}) as output:
        stream = output.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = base
        stream.codec_context.thread_count = 1
        if sample_aspect:
            stream.codec_context.sample_aspect_ratio = sample_aspect
        if rotation:
            stream.set_display_rotation(rotation)
        sound = output.add_stream("aac", rate=16_000, layout="mono") if sound_s else None
        for number, stamp in enumerate(pts_values):
            frame = _turned_frame(numbered_picture(number), rotation)
            frame.pts, frame.time_base = stamp, base
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
        if sound is not None:
            output.mux(sound.encode(_make_tone(sound_s)))
            output.mux(sound.encode())
    return [float((stamp - pts_values[0]) * base) for stamp in pts_values]


def _turned_frame(picture: NDArray[np.uint8], rotation: int) -> av.VideoFrame:
    """Return a picture as a camera that is turned by this angle stores it."""
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(np.rot90(picture, -rotation // 90)), "rgb24")


def _make_tone(seconds: float, rate: int = 16_000) -> av.AudioFrame:
    tone = 0.5 * np.sin(np.arange(int(seconds * rate)) * (2 * np.pi * 440 / rate))
    frame = av.AudioFrame.from_ndarray(tone.astype(np.float32)[None], "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    return frame


def make_sound(path: Path, seconds: float = 2.0, codec: str = "pcm_s16le", rate: int = 48_000) -> None:
    """Write a tone of 440 Hz, alone."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=rate, layout="stereo")
        tone = (12_000 * np.sin(np.arange(int(seconds * rate)) * (2 * np.pi * 440 / rate))).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[None], "s16", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        output.mux(stream.encode(frame))
        output.mux(stream.encode())


def write_tagged_video(path: Path, tags: dict[str, str], options: dict[str, str] | None = None) -> None:
    """Write a second of grey pictures in a container with these tags."""
    with av.open(str(path), "w", options=options or {}) as output:
        output.metadata.update(tags)
        stream = output.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 128, np.uint8))
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
