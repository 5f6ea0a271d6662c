"""Voice activity: where a recording may be divided without cutting a word, by Silero VAD (inside faster-whisper)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
"""Source: the input of Silero VAD and of Whisper (Radford et al., 2022)."""
_STEP_SAMPLES = 512
"""Source: Silero VAD, the samples that one probability stands for: 32 ms."""
_SILENCE_PROBABILITY = 0.35
"""Source: Silero VAD: below its threshold of 0.5 by 0.15, speech has ended."""
_MIN_SPEECH_MS = 200
"""Chosen: shorter than a word that is said alone; notes of music often look like speech for 30 to 100 ms."""
_MAX_TRIM_S = 0.5
"""Chosen: the padding that Whisper counts as a part of a word is 0.4 s; a quiet word must not lose more."""
_MIN_PAUSE_STEPS = 6
"""Chosen: 0.2 s; a shorter gap may be the closure of a plosive inside a word."""


def find_speech_probabilities(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probability of speech for each 32 ms of 16 kHz samples, the last ones padded with silence."""
    from faster_whisper.vad import get_vad_model

    padded = np.pad(samples, (0, -len(samples) % _STEP_SAMPLES))
    return np.asarray(get_vad_model()(padded), dtype=np.float32).reshape(-1)


def make_vad_options() -> Any:  # noqa: ANN401 - faster-whisper has no types
    """Return the options of voice activity detection: its defaults, and a shortest word."""
    from faster_whisper.vad import VadOptions

    return VadOptions(min_speech_duration_ms=_MIN_SPEECH_MS)


def has_speech(samples: NDArray[np.float32]) -> bool:
    """Return True if somebody speaks anywhere in 16 kHz samples."""
    from faster_whisper.vad import get_speech_timestamps

    return bool(len(samples)) and bool(get_speech_timestamps(samples, make_vad_options()))


def trim_to_speech(
    start_s: float, end_s: float, probabilities: NDArray[np.float32], limit_s: float = _MAX_TRIM_S
) -> tuple[float, float]:
    """Return a span without the silence at its ends, of which at most `limit_s` are cut at each.

    Times are seconds from the first of the probabilities; a span of silence stays as it is.
    """
    step_s = _STEP_SAMPLES / SAMPLE_RATE_HZ
    first, last = int(start_s / step_s), min(int(np.ceil(end_s / step_s)), len(probabilities))
    spoken = np.flatnonzero(probabilities[first:last] >= _SILENCE_PROBABILITY)
    if not len(spoken):
        return start_s, end_s
    new_start_s = max(start_s, (first + int(spoken[0])) * step_s)
    new_end_s = min(end_s, (first + int(spoken[-1]) + 1) * step_s)
    return min(new_start_s, start_s + limit_s), max(new_end_s, end_s - limit_s)


def find_longest_pause(samples: NDArray[np.float32]) -> int:
    """Return the sample in the middle of the longest pause of speech, the quietest one where nobody pauses.

    Samples without speech are divided at their start. The same samples give the same place.
    """
    if not len(samples):
        return 0
    probabilities = find_speech_probabilities(samples)
    is_silent = probabilities < _SILENCE_PROBABILITY
    if is_silent.all():
        return 0
    edges = np.flatnonzero(np.diff(np.concatenate(([False], is_silent, [False])).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts)) if len(starts) else -1
    if longest < 0 or ends[longest] - starts[longest] < _MIN_PAUSE_STEPS:
        step = int(np.argmin(np.convolve(probabilities, np.ones(3) / 3, mode="same")))
        return min(step * _STEP_SAMPLES + _STEP_SAMPLES // 2, len(samples))
    return min(int(starts[longest] + ends[longest]) * _STEP_SAMPLES // 2, len(samples))
