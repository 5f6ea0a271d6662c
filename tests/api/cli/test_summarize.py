"""`afterimage summarize`: one video, three forms, a picture for each chapter."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from tests.support.cli_runner import RunCommand

FILM = "welcome_aboard.mp4"


def test_chapters_as_json_cover_the_video(cli: RunCommand, home: Path) -> None:
    summary = cli(home, "summarize", FILM, "--json").json
    assert list(summary) == ["asset", "name", "sentences", "chapters"]
    chapters = summary["chapters"]
    (length,) = [asset["duration_s"] for asset in cli(home, "list", "--json").json if FILM in asset["name"]]
    assert (chapters[0]["start_s"], chapters[-1]["end_s"]) == (0.0, length)
    assert all(before["end_s"] == after["start_s"] for before, after in pairwise(chapters))
    for said in [*summary["sentences"], *(one for chapter in chapters for one in chapter["sentences"])]:
        assert list(said) == ["text", "verdict", "start_s", "end_s"]
        assert said["verdict"] in ("supported", "unclear") and 0 <= said["start_s"] < said["end_s"] <= length


def test_the_same_summary_in_markdown_and_as_a_chapters_track(cli: RunCommand, home: Path, tmp_path: Path) -> None:
    titles = [chapter["title"] for chapter in cli(home, "summarize", FILM, "--json").json["chapters"]]
    said = cli(home, "summarize", FILM, "--save-evidence", str(tmp_path / "frames"))
    assert said.exit_code == 0 and said.stdout.startswith("# videos/welcome\\_aboard.mp4\n")
    assert said.stdout.count("\n## ") == len(titles) == len(list((tmp_path / "frames").glob("*.jpg")))
    track = cli(home, "summarize", FILM, "--format", "webvtt").stdout
    assert track.startswith("WEBVTT\n\n00:00:00.000 --> ") and track.count(" --> ") == len(titles)


def test_a_document_is_refused_by_name(cli: RunCommand, home: Path) -> None:
    said = cli(home, "summarize", "staff_handbook.pdf")
    assert said.exit_code == 1 and said.stderr.rstrip().endswith("staff_handbook.pdf: only videos can be summarized")
