"""`afterimage summarize`: one video, three forms, a picture for each chapter."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.cli_runner import RunCommand
from tests.support.containers import copy_home

FILM = "welcome_aboard.mp4"


@pytest.fixture(scope="module")
def summary_home(indexed_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the indexed home in which the film is summarized once for all tests."""
    return copy_home(indexed_home, tmp_path_factory.mktemp("summaries") / "home")


@pytest.mark.slow
def test_chapters_as_json_cover_the_video(run_command: RunCommand, summary_home: Path) -> None:
    summary = run_command(summary_home, "summarize", FILM, "--json").json
    assert list(summary) == ["asset", "name", "sentences", "chapters"]
    chapters = summary["chapters"]
    (length,) = [
        asset["duration_s"] for asset in run_command(summary_home, "list", "--json").json if FILM in asset["name"]
    ]
    assert (chapters[0]["start_s"], chapters[-1]["end_s"]) == (0.0, length)
    assert all(before["end_s"] == after["start_s"] for before, after in pairwise(chapters))
    for sentence in [*summary["sentences"], *(sentence for chapter in chapters for sentence in chapter["sentences"])]:
        assert list(sentence) == ["text", "verdict", "start_s", "end_s"]
        assert sentence["verdict"] in ("supported", "unclear")
        assert 0 <= sentence["start_s"] < sentence["end_s"] <= length


def test_the_same_summary_in_markdown_and_as_a_chapters_track(
    run_command: RunCommand, summary_home: Path, tmp_path: Path
) -> None:
    titles = [chapter["title"] for chapter in run_command(summary_home, "summarize", FILM, "--json").json["chapters"]]
    said = run_command(summary_home, "summarize", FILM, "--save-evidence", str(tmp_path / "frames"))
    assert said.exit_code == 0 and said.stdout.startswith("# videos/welcome\\_aboard.mp4\n")
    assert said.stdout.count("\n## ") == len(titles) == len(list((tmp_path / "frames").glob("*.jpg")))
    track = run_command(summary_home, "summarize", FILM, "--format", "webvtt").stdout
    assert track.startswith("WEBVTT\n\n00:00:00.000 --> ") and track.count(" --> ") == len(titles)


def test_a_document_is_refused_by_name(run_command: RunCommand, summary_home: Path) -> None:
    said = run_command(summary_home, "summarize", "staff_handbook.pdf")
    assert said.exit_code == 1 and said.stderr.rstrip().endswith("staff_handbook.pdf: only videos can be summarized")
