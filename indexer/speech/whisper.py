"""Speech recognition by Whisper on CTranslate2 (faster-whisper)."""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.encoders.devices import pick_device
from indexer.encoders.weights import fingerprint
from indexer.errors import ModelError
from indexer.types import AudioSpan, Origin, TextLine

SAMPLE_RATE_HZ = 16_000  # Source: Whisper (Radford et al., 2022), its input
_REQUIRED_FILES = ("model.bin", "config.json", "tokenizer.json")


class WhisperRecognizer:
    """Speech recognizer for any Whisper model that CTranslate2 runs, loaded lazily and thread-safely.

    `model` is a folder (nothing is downloaded) or a name that faster-whisper knows, such as `small`. `language` is a
    code such as `de`; None detects it for each span. Silence is skipped (Silero VAD, inside the package). Decoding is
    deterministic: nothing is sampled. `threads` belong to this recognizer. Errors, at first use: ModelError.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str = "auto",
        threads: int = 1,
        language: str | None = None,
        beam_size: int = 5,
        skip_silence: bool = True,
    ) -> None:
        self._name = model
        self._device = device
        self._threads = threads
        self._language = language
        self._beam_size = beam_size
        self._skip_silence = skip_silence
        self._lock = threading.Lock()
        self._model: Any = None

    @cached_property
    def model_id(self) -> str:
        """Identifier of model and weights: of a folder, its name and the hash of its files."""
        folder = _model_folder(self._name)
        if folder is None:
            return f"whisper:{self._name}"
        return f"whisper:{folder.resolve().name}@{fingerprint(folder / file for file in _REQUIRED_FILES)}"

    def transcribe(self, audio: AudioSpan) -> list[TextLine]:
        """Transcribe an audio span to lines by time, in seconds of the video; none exceeds the span."""
        samples = _resample(audio.samples, audio.sample_rate)
        end_s = audio.start_s + len(audio.samples) / audio.sample_rate
        if not len(samples):
            return []
        segments, _ = self._load().transcribe(
            samples,
            language=self._language,
            beam_size=self._beam_size,
            vad_filter=self._skip_silence,
            condition_on_previous_text=False,
            temperature=0.0,
        )
        lines = (_to_text_line(segment, audio.start_s, end_s) for segment in segments)
        return sorted((line for line in lines if line), key=lambda line: line.start_s or 0.0)

    def _load(self) -> Any:  # noqa: ANN401 - faster-whisper has no types
        """Return the model, loaded at the first call. Errors: ModelError."""
        with self._lock:
            if self._model is None:
                self._model = _load(self._name, pick_device(self._device), self._threads)
            return self._model


def _load(name: str, device: str, threads: int) -> Any:  # noqa: ANN401 - faster-whisper has no types
    """Load a model from a folder, or by name from the hub or its cache. Errors: ModelError."""
    folder = _model_folder(name)
    try:
        from faster_whisper import WhisperModel
    except ImportError as error:
        raise ModelError("speech recognition needs faster-whisper: pip install afterimage[speech]") from error
    try:
        return WhisperModel(
            str(folder or name),
            device=device,
            compute_type="auto",
            cpu_threads=threads,
            local_files_only=folder is not None,
        )
    except Exception as error:
        place = str(folder) if folder else f"Whisper model {name!r}, from its hub or the cache"
        reason = str(error).splitlines()[0] if str(error) else repr(error)
        raise ModelError(f"{place}: cannot be loaded: {reason}") from error


def _model_folder(name: str) -> Path | None:
    """Return the folder that a model name points to; None for names of the hub. Errors: ModelError if incomplete."""
    path = Path(name).expanduser()
    if not path.is_dir():
        if path.is_absolute() or name.startswith((".", "~")):
            raise ModelError(f"{path}: no such folder; it should hold a Whisper model for CTranslate2")
        return None
    missing = [file for file in _REQUIRED_FILES if not (path / file).is_file()]
    if missing:
        raise ModelError(f"{path}: {', '.join(missing)} missing; this is not a Whisper model for CTranslate2")
    return path


def _resample(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Resample audio to 16 kHz by linear interpolation, low-passed by a moving average where the rate falls."""
    if sample_rate == SAMPLE_RATE_HZ:
        return samples
    if sample_rate > SAMPLE_RATE_HZ:
        width = max(1, round(sample_rate / SAMPLE_RATE_HZ))
        samples = np.convolve(samples, np.full(width, 1 / width, dtype=np.float32), mode="same")
    at = np.arange(int(len(samples) * SAMPLE_RATE_HZ / sample_rate)) * (sample_rate / SAMPLE_RATE_HZ)
    return np.asarray(np.interp(at, np.arange(len(samples)), samples), dtype=np.float32)


def _to_text_line(segment: Any, start_s: float, end_s: float) -> TextLine | None:  # noqa: ANN401 - faster-whisper has no types
    """Return a segment as a line within `[start_s, end_s)`; None where it is empty."""
    line_start_s = max(start_s, start_s + float(segment.start))
    line_end_s = min(end_s, start_s + float(segment.end))
    text = " ".join(segment.text.split())
    if not text or line_start_s >= line_end_s:
        return None
    confidence = float(np.clip(np.exp(segment.avg_logprob) * (1 - segment.no_speech_prob), 0, 1))
    return TextLine(text, Origin.SPEECH, line_start_s, line_end_s, confidence=confidence)
