"""Which files a path stands for."""

from __future__ import annotations

import os
from pathlib import Path

from indexer.errors import SourceError
from services.ingest.file_discovery import DiscoveredFile, SubtitleFile, discover


def _discovered_names(path: Path) -> list[str]:
    return [one.name for one in discover(path) if isinstance(one, DiscoveredFile)]


def _discovery_errors(path: Path) -> list[str]:
    return [str(one) for one in discover(path) if isinstance(one, SourceError)]


def test_folders_are_searched_in_order_hidden_and_subtitle_files_passed_over(tmp_path: Path) -> None:
    for name in ("b.mp4", "a/z.jpg", "a/b/y.pdf", ".hidden.mp4", ".git/x.jpg", "b.srt", "b.en.vtt", "notes"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert _discovered_names(tmp_path) == ["a/b/y.pdf", "a/z.jpg", "b.mp4", "notes"]
    expected = {one.name: one.explicit for one in discover(tmp_path) if isinstance(one, DiscoveredFile)}
    assert (expected["b.mp4"], expected["notes"]) == (True, False)


def test_a_loop_of_links_is_told_once_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "film.mp4").touch()
    (tmp_path / "in" / "back").symlink_to(tmp_path)
    assert _discovered_names(tmp_path) == ["in/film.mp4"]
    assert _discovery_errors(tmp_path) == ["in/back: is a link back to a folder above it"]


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert _discovery_errors(tmp_path) == ["pipe.mp4: is a pipe, not a file"]
    assert _discovery_errors(tmp_path / "pipe.mp4") == [f"{tmp_path}/pipe.mp4: is a pipe, not a file"]


def test_what_cannot_be_read_below_a_folder_is_named_as_its_files_are(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "lost.mp4").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "sub" / "pipe")
    (tmp_path / "sub" / "photo.jpg").touch()
    assert [found.name for found in discover(tmp_path)] == ["sub/lost.mp4", "sub/photo.jpg", "sub/pipe"]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "gone")
    assert _discovery_errors(tmp_path / "nothing") == [f"{tmp_path}/nothing: there is no such file"]
    assert _discovery_errors(tmp_path) == ["dangling.mp4: there is no such file"]


def test_a_sidecar_that_is_written_to_changes_the_state(tmp_path: Path) -> None:
    film, cues = tmp_path / "film.mp4", tmp_path / "film.srt"
    film.touch()
    candidate = DiscoveredFile(film, "film.mp4", explicit=True)
    alone = candidate.fingerprint()
    cues.write_text("1\n")
    with_cues = candidate.fingerprint()
    cues.write_text("1\n2\n")
    assert len({alone, with_cues, candidate.fingerprint()}) == 3


def test_a_subtitle_file_that_belongs_to_nothing_is_named(tmp_path: Path) -> None:
    for name in ("film.mp4", "film.en.ass", "other.srt", "Subs/film.srt", "Subs/lost.srt", "bits.sub", "bits.idx"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    lone = {one.name: one.reason for one in discover(tmp_path) if isinstance(one, SubtitleFile)}
    nothing = "is a subtitle file that belongs to no recording here"
    pictures = "holds pictures of subtitles (VobSub), which are not read"
    assert lone == {"Subs/lost.srt": nothing, "bits.sub": pictures, "other.srt": nothing}


def test_a_subtitle_file_named_itself_says_what_it_belongs_to(tmp_path: Path) -> None:
    for name in ("film.mp4", "film.en.srt", "other.srt"):
        (tmp_path / name).touch()
    (mine,) = discover(tmp_path / "film.en.srt")
    assert isinstance(mine, SubtitleFile)
    assert (mine.recording, mine.reason) == (
        "film.mp4",
        "is a subtitle file, which is read when film.mp4 is indexed",
    )
    assert _discovery_errors(tmp_path / "other.srt") == [
        "other.srt: is a subtitle file that belongs to no recording here"
    ]


def test_subtitles_belong_to_no_picture_and_no_document(tmp_path: Path) -> None:
    """A poster beside a film is not indexed again when its subtitles change."""
    for name in ("film.jpg", "film.pdf", "film.mp4", "film.srt"):
        (tmp_path / name).touch()
    sidecars = {one.name: len(one.sidecars()) for one in discover(tmp_path) if isinstance(one, DiscoveredFile)}
    assert sidecars == {"film.jpg": 0, "film.mp4": 1, "film.pdf": 0}
