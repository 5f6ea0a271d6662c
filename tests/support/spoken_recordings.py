"""Recordings of speech with known words and times, for tests: the sample archive's radio news."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from demoworld.archive import load_data
from demoworld.spoken_video import SPEECH_FILE, SPEECH_SPEC, SpokenFilm
from indexer.media.video.audio import read_audio
from indexer.types import AudioSpan

_READING = Path(__file__).parents[2] / "demoworld" / "data" / SPEECH_FILE


def load_radio_news() -> SpokenFilm:
    """Return what the radio news say, sentence by sentence, with the span of each."""
    return load_data(SPEECH_SPEC, SpokenFilm)


def read_radio_news(sample_rate: int = 16_000) -> AudioSpan:
    """Return the sound of the radio news."""
    return read_audio(_READING, 0.0, 60.0, sample_rate)


def write_sound(samples: NDArray[np.float32], path: Path, sample_rate: int = 16_000) -> Path:
    """Write mono samples as FLAC, without loss but for 16 bits; returns the path."""
    with av.open(path, "w") as target:
        stream = target.add_stream("flac", rate=sample_rate)
        stream.layout = "mono"
        for first in range(0, len(samples), 4096):
            block = np.ascontiguousarray(samples[None, first : first + 4096] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.pts = sample_rate, first
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path
