from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from indexer.media.sandbox.client import MediaLimits, SandboxedDecoder
from indexer.pipeline.bounded_stage import BoundedStage
from indexer.pipeline.listening import Listener
from indexer.speech.packaged_model import MODEL_NAME
from indexer.speech.whisper import WhisperRecognizer
from indexer.types import TextLine
from tests.support.spoken_recordings import read_radio_news, write_sound

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The radio news, twice, without the silence between."""
    samples = read_radio_news().samples[16_000 : 27 * 16_000]
    return write_sound(np.concatenate([samples, samples]), tmp_path_factory.mktemp("news") / "news.flac")


@pytest.fixture(scope="module")
def recognizer() -> WhisperRecognizer:
    return WhisperRecognizer(MODEL_NAME, device="cpu")


@pytest.fixture(scope="module")
def decoder() -> Iterator[SandboxedDecoder]:
    with closing(SandboxedDecoder(MediaLimits())) as decoder:
        yield decoder


def _listen(
    recording: Path, recognizer: WhisperRecognizer, decoder: SandboxedDecoder, numbers: range
) -> dict[int, list[TextLine]]:
    """Return the lines of some checkpoints of 15 s, as a run that begins with the first of them hears them."""
    with BoundedStage("listen", 2) as stage:
        listener = Listener(recording, recognizer, decoder, stage, 15.0)
        futures = {number: listener.submit(number) for number in numbers}
        return {number: future.result() for number, future in futures.items()}


def test_no_sentence_is_cut_or_heard_twice_at_a_boundary(
    recording: Path, recognizer: WhisperRecognizer, decoder: SandboxedDecoder
) -> None:
    heard = _listen(recording, recognizer, decoder, range(4))
    lines = [line for number in range(4) for line in heard[number]]
    assert all((before.end_s or 0) <= (line.start_s or 0) for before, line in pairwise(lines))
    bridges = [line for line in lines if "swing bridge" in line.text.lower()]
    assert [round(line.start_s or 0) for line in bridges] == [4, 30]
    assert all("Thursday" in line.text and line.text.endswith("storm.") for line in bridges)
    assert sum("lighthouse" in line.text for line in lines) == 2


def test_a_resumed_run_hears_what_an_uninterrupted_one_hears(
    recording: Path, recognizer: WhisperRecognizer, decoder: SandboxedDecoder
) -> None:
    whole = _listen(recording, recognizer, decoder, range(4))
    resumed = _listen(recording, recognizer, decoder, range(2, 4))
    assert resumed == {number: whole[number] for number in (2, 3)}
