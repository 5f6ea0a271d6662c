"""Speech recognition by Whisper on CTranslate2 (faster-whisper)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.encoders.devices import pick_device
from indexer.encoders.weights import fingerprint
from indexer.errors import ModelError
from indexer.speech.packaged_model import MODEL_NAME, WEIGHTS_SHA256, join_packaged_model
from indexer.speech.sentences import SpokenWord, build_sentences
from indexer.speech.voice_activity import (
    SAMPLE_RATE_HZ,
    find_longest_pause,
    find_speech_probabilities,
    has_speech,
    make_vad_options,
    trim_to_speech,
)
from indexer.types import AudioSpan, TextLine

_REQUIRED_FILES = ("model.bin", "config.json", "tokenizer.json")
_HEARING_VERSION = "2"
"""Form: counts changes of what is made of a model's output; part of the model's id. 2: sentences by times of words."""
_MAX_COMPRESSION_RATIO = 2.4
"""Source: Whisper (Radford et al., 2022), section 4.5: a text that gzip shortens more is a loop."""
_MIN_LOG_PROBABILITY = -1.0
"""Source: Whisper, section 4.5: a text less probable than that, per token, has failed."""
_MAX_NO_SPEECH_PROBABILITY = 0.6
"""Source: Whisper, section 4.5: where silence is likelier, a text must be surer of itself."""
_SURE_LOG_PROBABILITY = -0.4
"""Measured: `benchmarks.speech`; sentences that were said score above, what is made of noise below."""

_MIN_CONFIDENCE = 0.4
"""Measured: `benchmarks.speech`; the mean probability of the words, lower where the language was taken for another."""
_NO_REPEAT_TOKENS = 4
"""Chosen: a loop has few tokens, and a sentence seldom has four twice."""
_LANGUAGE_WINDOWS = 2
"""Chosen: stretches of 30 s that tell the language where the first leaves it unsure; a checkpoint has two."""
_SURE_LANGUAGE = 0.5
"""Source: faster-whisper, its threshold for the language."""
_WELL_KNOWN_LANGUAGES = (
    *("en", "zh", "de", "es", "ru", "fr", "pt", "ko", "ja", "tr", "pl", "it"),
    *("sv", "nl", "ca", "fi", "id", "ar", "uk", "vi", "he", "ms", "el"),
)
"""Source: Whisper, appendix E: more than 500 hours of training. Unclear speech is often taken for Latin or Nynorsk,
of which the model has heard little and makes anything."""


class WhisperRecognizer:
    """Speech recognizer for any Whisper model that CTranslate2 runs, loaded lazily and thread-safely.

    `model` is `whisper-base` (from installed packages), a folder (nothing is downloaded) or a name that faster-whisper
    knows, such as `small`. `language` is a code such as `de`; None detects it for each span. Silence, noise and music
    are skipped (Silero VAD, inside the package); the model is loaded when the first speech is heard. Decoding is
    deterministic: nothing is sampled. `threads` belong to this recognizer. Errors, at first use: ModelError.
    """

    def __init__(
        self, model: str, *, device: str = "auto", threads: int = 1, language: str | None = None, beam_size: int = 5
    ) -> None:
        self._name = model
        self._device = device
        self._threads = threads
        self._language = language
        self._beam_size = beam_size
        self._lock = threading.Lock()
        self._model: Any = None

    @cached_property
    def model_id(self) -> str:
        """Identifier of model and weights: of a folder, its name and the hash of its files."""
        name = self._name
        if name == MODEL_NAME:
            name = f"{name}@{WEIGHTS_SHA256[:12]}"
        elif (folder := _model_folder(name)) is not None:
            name = f"{folder.resolve().name}@{fingerprint(folder / file for file in _REQUIRED_FILES)}"
        return f"whisper:{name}-{_HEARING_VERSION}"

    def find_pause(self, audio: AudioSpan) -> float:
        """Return the time of the longest pause of speech, in seconds of the video, or of the quietest moment."""
        samples = _resample(audio.samples, audio.sample_rate)
        with _explained_import():
            return audio.start_s + find_longest_pause(samples) / SAMPLE_RATE_HZ

    def transcribe(self, audio: AudioSpan) -> list[TextLine]:
        """Transcribe an audio span to sentences by time, in seconds of the video; none exceeds the span."""
        samples = _resample(audio.samples, audio.sample_rate)
        with _explained_import():
            if not has_speech(samples):
                return []
        language = self._language or _detect_language(self._load(), samples)
        segments = self._decode(samples, language)
        if any(_is_loop(segment) for segment in segments):
            segments = self._decode(samples, language, no_repeat_ngram_size=_NO_REPEAT_TOKENS)
        words = [word for segment in segments if _is_reliable(segment) for word in segment.words]
        duration_s = len(audio.samples) / audio.sample_rate
        probabilities = find_speech_probabilities(samples)
        sentences = build_sentences(list(_to_spoken_words(words, duration_s)))
        return [line for sentence in sentences if (line := _place(sentence, audio.start_s, probabilities)) is not None]

    def _decode(self, samples: NDArray[np.float32], language: str, **options: Any) -> list[Any]:  # noqa: ANN401 - faster-whisper's
        """Return the segments of 16 kHz samples, as faster-whisper has them."""
        segments, _ = self._load().transcribe(
            samples,
            language=language,
            beam_size=self._beam_size,
            vad_filter=True,
            vad_parameters=make_vad_options(),
            condition_on_previous_text=False,
            temperature=0.0,
            word_timestamps=True,
            **options,
        )
        return list(segments)

    def _load(self) -> Any:  # noqa: ANN401 - faster-whisper has no types
        """Return the model, loaded at the first call. Errors: ModelError."""
        with self._lock:
            if self._model is None:
                self._model = _load(self._name, pick_device(self._device), self._threads)
            return self._model


@contextmanager
def _explained_import() -> Iterator[None]:
    """Raise ModelError where faster-whisper is missing."""
    try:
        yield
    except ImportError as error:
        raise ModelError("speech recognition needs faster-whisper: pip install afterimage[offline]") from error


def _detect_language(model: Any, samples: NDArray[np.float32]) -> str:  # noqa: ANN401 - faster-whisper has no types
    """Return the code of the language; where the model is unsure, the likeliest of those that it knows well."""
    if not model.model.is_multilingual:
        return "en"
    language, probability, chances = model.detect_language(
        audio=samples,
        vad_filter=True,
        vad_parameters=make_vad_options(),
        language_detection_segments=_LANGUAGE_WINDOWS,
        language_detection_threshold=_SURE_LANGUAGE,
    )
    if probability >= _SURE_LANGUAGE:
        return str(language)
    known = [(chance, code) for code, chance in chances if code in _WELL_KNOWN_LANGUAGES]
    return max(known)[1] if known else str(language)


def _is_loop(segment: Any) -> bool:  # noqa: ANN401 - faster-whisper has no types
    """Return True if Whisper repeats itself over speech, and may do better without."""
    is_speech = segment.no_speech_prob <= _MAX_NO_SPEECH_PROBABILITY
    return bool(is_speech and segment.compression_ratio > _MAX_COMPRESSION_RATIO)


def _is_reliable(segment: Any) -> bool:  # noqa: ANN401 - faster-whisper has no types
    """Return False for what Whisper makes of sound without words: loops, guesses, words where silence is likelier."""
    if segment.compression_ratio > _MAX_COMPRESSION_RATIO or segment.avg_logprob < _MIN_LOG_PROBABILITY:
        return False
    return bool(segment.no_speech_prob <= _MAX_NO_SPEECH_PROBABILITY or segment.avg_logprob >= _SURE_LOG_PROBABILITY)


def _to_spoken_words(words: Iterable[Any], duration_s: float) -> Iterator[SpokenWord]:
    """Yield words in order of time, within the span."""
    at_s = 0.0
    for word in words:
        start_s = min(max(float(word.start), at_s), duration_s)
        end_s = min(max(float(word.end), start_s), duration_s)
        at_s = start_s
        yield SpokenWord(word.word, start_s, end_s, float(word.probability))


def _place(line: TextLine, offset_s: float, probabilities: NDArray[np.float32]) -> TextLine | None:
    """Return a line of the span at its time in the video, without silence at its ends; None where it is a guess."""
    start_s, end_s = trim_to_speech(line.start_s or 0.0, line.end_s or 0.0, probabilities)
    if not line.text or start_s >= end_s or line.confidence < _MIN_CONFIDENCE:
        return None
    return replace(line, start_s=offset_s + start_s, end_s=offset_s + end_s)


def _load(name: str, device: str, threads: int) -> Any:  # noqa: ANN401 - faster-whisper has no types
    """Load a model from a folder, or by name from the hub or its cache. Errors: ModelError."""
    folder = join_packaged_model() if name == MODEL_NAME else _model_folder(name)
    with _explained_import():
        from faster_whisper import WhisperModel
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
