from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from demoworld.archive import load_data
from demoworld.make_voice import read_aloud, write_opus
from demoworld.spoken_video import SPEECH_SPEC, SpokenFilm, write_spoken_video
from indexer.media.probe import probe_video
from indexer.media.video.audio import read_audio
from tests.support.spoken_recordings import read_radio_news


def test_the_video_has_pictures_and_the_reading_in_time(tmp_path: Path) -> None:
    film = load_data(SPEECH_SPEC, SpokenFilm)
    facts = write_spoken_video(film, tmp_path)
    info = probe_video(tmp_path / film.file)
    assert (info.width, info.height, info.has_audio, info.subtitle_streams) == (640, 360, True, 0)
    assert [(fact.where, fact.text) for fact in facts] == [("speech", cue.text) for cue in film.sentences]
    sound, reading = read_audio(tmp_path / film.file, 0.0, 60.0).samples, read_radio_news().samples
    for fact in facts:
        assert fact.start_s is not None
        assert fact.end_s is not None
        first, end = (round(edge * 16_000) for edge in (fact.start_s, fact.end_s))
        assert np.corrcoef(sound[first:end], reading[first:end])[0, 1] > 0.95
        assert np.abs(sound[first - 8_000 : first - 1_000]).max() < 0.02


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng reads it")
def test_the_reading_can_be_made_again(tmp_path: Path) -> None:
    film = load_data(SPEECH_SPEC, SpokenFilm)
    samples, spans = read_aloud([cue.text for cue in film.sentences])
    assert np.allclose(spans, [cue.span for cue in film.sentences], atol=0.1)
    write_opus(samples, tmp_path / "again.opus")
    assert abs(len(read_audio(tmp_path / "again.opus", 0.0, 60.0).samples) / 16_000 - len(samples) / 22_050) < 0.1
