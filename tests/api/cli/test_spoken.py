from __future__ import annotations

from pathlib import Path

import pytest

from demoworld.spoken_video import write_spoken_video
from tests.support.cli_runner import RunCommand
from tests.support.spoken_recordings import load_radio_news

QUESTION = "Until when does the swing bridge stay closed?"
ONLY_SPEECH = {"visual__model": "", "ocr__enabled": "false"}


@pytest.mark.slow
def test_the_command_line_says_what_is_spoken(run_command: RunCommand, tmp_path: Path) -> None:
    film = load_radio_news()
    write_spoken_video(film, tmp_path)
    assert run_command(None, "index", tmp_path / film.file, **ONLY_SPEECH).exit_code == 0
    asked = run_command(None, "ask", QUESTION, **ONLY_SPEECH).stdout
    assert "harbour_radio.mp4 0:04–0:10 (spoken)" in asked
    hits = run_command(None, "search", "feeding seals", "--json", **ONLY_SPEECH).json["hits"]
    assert hits[0]["modality"] == "spoken"
