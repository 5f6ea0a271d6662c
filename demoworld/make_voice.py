"""Let espeak-ng read the harbour radio's news; run once, by hand: `python -m demoworld.make_voice`.

It needs Debian's espeak-ng. The reading, `data/harbour_radio.opus`, is a part of the package, so that the demo needs
none; the spans that it prints belong into `data/harbour_radio.toml`.
"""

from __future__ import annotations

import io
import subprocess
import wave
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from demoworld.archive import load_data
from demoworld.spoken_video import SPEECH_FILE, SPEECH_SPEC, SpokenFilm

_VOICE, _WORDS_A_MINUTE = "en-us", 140
_RATE_HZ = 22_050
"""Source: what espeak-ng writes."""
_PAUSE_S = 1.0
_LOUDNESS = 0.5
_BLOCK_SAMPLES = 441
_SILENT = 1e-3
"""Chosen: what espeak-ng writes before and after a sentence is below."""


def say(text: str, voice: str = _VOICE, words_a_minute: int = _WORDS_A_MINUTE) -> NDArray[np.float32]:
    """Return a text as espeak-ng reads it, mono at 22,050 Hz, without silence around it."""
    command = ["espeak-ng", "-v", voice, "-s", str(words_a_minute), "--stdout", text]
    sound = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(sound[:4] + b"\xff\xff\xff\x7f" + sound[8:])) as reader:
        samples = np.frombuffer(reader.readframes(reader.getnframes()), np.int16).astype(np.float32) / np.float32(2**15)
    loud = np.flatnonzero(np.abs(samples) > _SILENT)
    return samples[loud[0] : loud[-1] + 1]


def read_aloud(texts: Sequence[str]) -> tuple[NDArray[np.float32], list[tuple[float, float]]]:
    """Return texts read one after the other with pauses, and the span of each in seconds."""
    pause = np.zeros(round(_PAUSE_S * _RATE_HZ), np.float32)
    parts, spans, at = [pause], [], len(pause)
    for text in texts:
        samples = say(text)
        spans.append((round(at / _RATE_HZ, 2), round((at + len(samples)) / _RATE_HZ, 2)))
        parts += [samples, pause]
        at += len(samples) + len(pause)
    sound = np.concatenate(parts)
    return sound * np.float32(_LOUDNESS / np.abs(sound).max()), spans


def write_opus(samples: NDArray[np.float32], path: Path) -> None:
    """Write mono samples at 22,050 Hz as Opus in Ogg."""
    with av.open(path, "w", format="ogg") as target:
        stream = target.add_stream("libopus", rate=24_000, options={"b": "24000"})
        stream.layout = "mono"
        for first in range(0, len(samples), _BLOCK_SAMPLES):
            block = np.ascontiguousarray(samples[None, first : first + _BLOCK_SAMPLES])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = _RATE_HZ, first
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def main() -> None:
    """Write the reading beside the text, and print when each sentence is read."""
    spec = load_data(SPEECH_SPEC, SpokenFilm)
    samples, spans = read_aloud([sentence.text for sentence in spec.sentences])
    with resources.as_file(resources.files("demoworld") / "data") as folder:
        write_opus(samples, folder / SPEECH_FILE)
    for span in spans:
        print(f"span = [{span[0]}, {span[1]}]")  # noqa: T201 - the command's output


if __name__ == "__main__":
    main()
