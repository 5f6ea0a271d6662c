from __future__ import annotations

import shutil
import socket
import sys
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import ModelError
from indexer.speech.whisper import WhisperRecognizer
from indexer.types import AudioSpan
from tests.support.contract_speech_recognizer import SpeechRecognizerContract
from tests.support.tiny_whisper import make_tiny_whisper

TONE_SAMPLES = (0.3 * np.sin(np.arange(2 * 16_000) / 8)).astype(np.float32)


@pytest.fixture(scope="session")
def tiny_whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_whisper(tmp_path_factory.mktemp("whisper") / "tiny")


class TestWhisperReader(SpeechRecognizerContract):
    @pytest.fixture
    def recognizer(self, tiny_whisper: Path) -> WhisperRecognizer:
        return WhisperRecognizer(str(tiny_whisper), device="cpu", language="en", beam_size=1, skip_silence=False)


def test_silence_is_skipped_by_the_detector_in_the_package(tiny_whisper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    reader = WhisperRecognizer(str(tiny_whisper), device="cpu")
    assert reader.transcribe(AudioSpan(0.0, 16_000, np.zeros(3 * 16_000, dtype=np.float32))) == []


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_sound_of_any_rate_is_heard_in_its_own_time(tiny_whisper: Path, rate: int) -> None:
    reader = WhisperRecognizer(str(tiny_whisper), device="cpu", beam_size=1, skip_silence=False)
    samples = (0.3 * np.sin(np.arange(2 * rate) * 3000 / rate)).astype(np.float32)
    lines = reader.transcribe(AudioSpan(10.0, rate, samples))
    assert lines
    assert all(10.0 <= (line.start_s or 0) < (line.end_s or 0) <= 12.0 for line in lines)
    assert all(reader.transcribe(AudioSpan(10.0, rate, samples)) == lines for _ in range(3))


def test_the_id_tells_weights_apart(tiny_whisper: Path, tmp_path: Path) -> None:
    other = make_tiny_whisper(tmp_path / "tiny", seed=1)
    assert WhisperRecognizer(str(tiny_whisper)).model_id != WhisperRecognizer(str(other)).model_id


def test_a_missing_package_names_the_extra(tiny_whisper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(ModelError, match=r"pip install afterimage\[speech\]"):
        WhisperRecognizer(str(tiny_whisper)).transcribe(AudioSpan(0.0, 16_000, TONE_SAMPLES))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere: no such folder"):
        WhisperRecognizer(str(tmp_path / "nowhere")).transcribe(AudioSpan(0.0, 16_000, TONE_SAMPLES))


@pytest.mark.parametrize("file", ["model.bin", "config.json", "tokenizer.json"])
def test_a_folder_without_its_files_says_which_and_fetches_none(tiny_whisper: Path, tmp_path: Path, file: str) -> None:
    folder = Path(shutil.copytree(tiny_whisper, tmp_path / "model"))
    (folder / file).unlink()
    with pytest.raises(ModelError, match=f"{file} missing"):
        WhisperRecognizer(str(folder)).transcribe(AudioSpan(0.0, 16_000, TONE_SAMPLES))


def test_damaged_weights_are_named(tiny_whisper: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_whisper, tmp_path / "model"))
    (folder / "model.bin").write_bytes((folder / "model.bin").read_bytes()[:2000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        WhisperRecognizer(str(folder), device="cpu").transcribe(AudioSpan(0.0, 16_000, TONE_SAMPLES))


def test_a_name_that_faster_whisper_does_not_know_is_said() -> None:
    with pytest.raises(ModelError, match="no-such-size"):
        WhisperRecognizer("no-such-size").transcribe(AudioSpan(0.0, 16_000, TONE_SAMPLES))
