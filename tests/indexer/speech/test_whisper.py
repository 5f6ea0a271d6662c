from __future__ import annotations

import shutil
import socket
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import ModelError
from indexer.speech.packaged_model import MODEL_NAME
from indexer.speech.whisper import WhisperRecognizer
from indexer.types import AudioSpan
from tests.support.contract_speech_recognizer import SpeechRecognizerContract
from tests.support.spoken_recordings import load_radio_news, read_radio_news
from tests.support.tiny_whisper import make_tiny_whisper

_RATE_HZ = 16_000


@pytest.fixture(scope="session")
def tiny_whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_whisper(tmp_path_factory.mktemp("whisper") / "tiny")


@pytest.fixture(scope="module")
def base() -> WhisperRecognizer:
    """The packaged model, loaded once."""
    return WhisperRecognizer(MODEL_NAME, device="cpu")


@pytest.fixture(scope="module")
def spoken_audio() -> AudioSpan:
    return read_radio_news()


@pytest.mark.slow
class TestPackagedWhisper(SpeechRecognizerContract):
    @pytest.fixture
    def recognizer(self, base: WhisperRecognizer) -> WhisperRecognizer:
        return base


@pytest.mark.slow
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_sentences_are_heard_within_half_a_second_at_any_rate(base: WhisperRecognizer, rate: int) -> None:
    lines, sentences = base.transcribe(read_radio_news(rate)), load_radio_news().sentences
    heard = 0
    for cue in sentences:
        last_words = set(cue.text.rstrip(".").rsplit(". ")[-1].lower().split()[-3:])
        ends = [line for line in lines if abs((line.end_s or 0) - cue.span[1]) <= 0.5]
        begins = any(abs((line.start_s or 0) - cue.span[0]) <= 0.5 for line in lines)
        heard += begins and any(last_words & set(line.text.lower().rstrip(".").split()) for line in ends)
    # Processors round differently: one may hear a comma where another hears the end of a sentence.
    assert heard >= len(sentences) - 1


@pytest.mark.slow
def test_one_sentence_is_heard_alone(base: WhisperRecognizer, spoken_audio: AudioSpan) -> None:
    sentence = load_radio_news().sentences[1]
    first, end = (round(edge * _RATE_HZ) for edge in (sentence.span[0] - 0.5, sentence.span[1] + 0.5))
    (line,) = base.transcribe(replace(spoken_audio, start_s=4.29, samples=spoken_audio.samples[first:end]))
    assert line.text.startswith("The swing bridge stays closed until Thursday, because ")
    assert line.confidence > 0.7


def _make_silence(count: int) -> np.ndarray:
    return np.zeros(count)


def _make_noise(count: int) -> np.ndarray:
    return 0.2 * np.random.default_rng(0).standard_normal(count)


def _make_hum(count: int) -> np.ndarray:
    return sum(0.1 * np.sin(2 * np.pi * 50 * k * np.arange(count) / _RATE_HZ) / k for k in range(1, 8))


def _make_melody(count: int) -> np.ndarray:
    """A synthesizer with vibrato, a note a second: Whisper makes "I'm sorry" of it, time after time."""
    random, melody = np.random.default_rng(1), np.zeros(count)
    at = np.arange(_RATE_HZ) / _RATE_HZ
    for first in range(0, count - _RATE_HZ + 1, _RATE_HZ):
        phase = 2 * np.pi * 220 * 2 ** (random.integers(12) / 12) * at + np.sin(2 * np.pi * 5.5 * at)
        envelope = np.minimum(1, at * 30) * np.exp(-2 * at)
        melody[first : first + _RATE_HZ] = envelope * sum(np.sin(k * phase) / k for k in range(1, 6))
    return 0.3 * melody / np.abs(melody).max()


@pytest.mark.parametrize("make_sound", [_make_silence, _make_noise, _make_hum, _make_melody])
def test_nothing_is_invented_where_nobody_speaks(base: WhisperRecognizer, make_sound: object) -> None:
    assert callable(make_sound)
    sound = make_sound(30 * _RATE_HZ).astype(np.float32)
    assert base.transcribe(AudioSpan(0.0, _RATE_HZ, sound)) == []


def test_a_silent_recording_loads_no_model_and_asks_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    recognizer = WhisperRecognizer("no-such-size", device="cpu")
    assert recognizer.transcribe(AudioSpan(0.0, _RATE_HZ, np.zeros(3 * _RATE_HZ, dtype=np.float32))) == []


def test_the_id_tells_weights_apart(tiny_whisper: Path, tmp_path: Path) -> None:
    other = make_tiny_whisper(tmp_path / "tiny", seed=1)
    names = (str(tiny_whisper), str(other), MODEL_NAME, "small")
    assert len({WhisperRecognizer(name).model_id for name in names}) == len(names)


def test_any_model_in_a_folder_is_taken(tiny_whisper: Path, spoken_audio: AudioSpan) -> None:
    recognizer = WhisperRecognizer(str(tiny_whisper), device="cpu", language="en")
    assert recognizer.transcribe(spoken_audio) == []  # its weights are random: gibberish is not kept


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, spoken_audio: AudioSpan) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    monkeypatch.setitem(sys.modules, "faster_whisper.vad", None)
    with pytest.raises(ModelError, match=r"pip install afterimage\[offline\]"):
        WhisperRecognizer(MODEL_NAME).transcribe(spoken_audio)


def test_a_missing_folder_is_named(tmp_path: Path, spoken_audio: AudioSpan) -> None:
    with pytest.raises(ModelError, match="nowhere: no such folder"):
        WhisperRecognizer(str(tmp_path / "nowhere")).transcribe(spoken_audio)


@pytest.mark.parametrize("file", ["model.bin", "config.json", "tokenizer.json"])
def test_a_folder_without_its_files_says_which_and_fetches_none(
    tiny_whisper: Path, tmp_path: Path, file: str, spoken_audio: AudioSpan
) -> None:
    folder = Path(shutil.copytree(tiny_whisper, tmp_path / "model"))
    (folder / file).unlink()
    with pytest.raises(ModelError, match=f"{file} missing"):
        WhisperRecognizer(str(folder)).transcribe(spoken_audio)


def test_damaged_weights_are_named(tiny_whisper: Path, tmp_path: Path, spoken_audio: AudioSpan) -> None:
    folder = Path(shutil.copytree(tiny_whisper, tmp_path / "model"))
    (folder / "model.bin").write_bytes((folder / "model.bin").read_bytes()[:2000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        WhisperRecognizer(str(folder), device="cpu").transcribe(spoken_audio)


def test_a_name_that_faster_whisper_does_not_know_is_said(spoken_audio: AudioSpan) -> None:
    with pytest.raises(ModelError, match="no-such-size"):
        WhisperRecognizer("no-such-size").transcribe(spoken_audio)
