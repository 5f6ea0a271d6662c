"""Which subtitle files belong to a recording."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from indexer.media.subtitles.sidecar_names import (
    _belongs,
    _find_owned,
    describe_sidecar,
    find_language,
    find_recording,
    find_sidecars,
)


def make_files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def sidecar_names(recording: Path) -> list[str]:
    return [found.relative_to(recording.parent).as_posix() for found in find_sidecars(recording)]


@pytest.mark.parametrize(
    "name",
    [
        *("film.srt", "film.mp4.srt", "film.English.srt", "film.en.2.srt", "film.forced.en.srt", "film.en.forced.srt"),
        *(
            "film.pt-BR.sdh.srt",
            "film.[en].srt",
            "film.zh-Hans.ass",
            "film.en-orig.vtt",
            "film_en.srt",
            "film (en).srt",
        ),
        *("film.한국어.smi", "film.简体中文.ssa", "FILM.EN.SRT", "film.sub", "film.lrc", "film.chs&eng.ass"),
        *("Subs/film.srt", "subtitles/film.de.vtt", "Subs/2_English.srt", "Subs/English.srt", "Subs/film/3_ger.srt"),
    ],
)
def test_a_file_named_for_the_recording_belongs_to_it(tmp_path: Path, name: str) -> None:
    make_files(tmp_path, "film.mp4", name)
    assert sidecar_names(tmp_path / "film.mp4") == [name]
    assert find_recording(tmp_path / name) == tmp_path / "film.mp4"


@pytest.mark.parametrize(
    "name",
    [
        *("film 2.srt", "film2.srt", "filmen.srt", "film - extras.srt", "film.part two.srt", "film (2).srt", "fil.srt"),
        *(
            "other.srt",
            "film.txt",
            ".film.srt",
            "film.en.fr.de.it.es.srt",
            "Subs/other.srt",
            "Subs/other/2_English.srt",
        ),
        *("Extras/film.srt", "film.2.srt", "film-commentary.srt"),
    ],
)
def test_a_file_of_another_name_does_not(tmp_path: Path, name: str) -> None:
    make_files(tmp_path, "film.mp4", name)
    assert sidecar_names(tmp_path / "film.mp4") == []


def test_composed_and_decomposed_names_are_the_same(tmp_path: Path) -> None:
    composed = unicodedata.normalize("NFC", "Café übung 한국")
    decomposed = unicodedata.normalize("NFD", composed)
    make_files(tmp_path, f"{composed}.mp4", f"{decomposed}.de.srt")
    (found,) = find_sidecars(tmp_path / f"{composed}.mp4")
    assert describe_sidecar(found, tmp_path / f"{composed}.mp4") == ".de.srt"


def test_the_case_of_names_does_not_matter_unless_two_recordings_differ_in_it(tmp_path: Path) -> None:
    make_files(tmp_path, "UPPER.MP4", "upper.srt")
    assert sidecar_names(tmp_path / "UPPER.MP4") == ["upper.srt"]
    make_files(tmp_path, "upper.mp4")
    assert sidecar_names(tmp_path / "UPPER.MP4") == []
    assert sidecar_names(tmp_path / "upper.mp4") == ["upper.srt"]


def test_of_two_recordings_the_longest_name_has_the_file(tmp_path: Path) -> None:
    make_files(tmp_path, "film.mp4", "film.en.mp4", "film 2.mp4", "film.mkv", "film.en.srt", "film.mkv.srt", "film.srt")
    assert sidecar_names(tmp_path / "film.en.mp4") == ["film.en.srt"]
    assert sidecar_names(tmp_path / "film.mp4") == ["film.srt"]
    assert sidecar_names(tmp_path / "film.mkv") == ["film.mkv.srt", "film.srt"]
    assert sidecar_names(tmp_path / "film 2.mp4") == []


def test_among_several_recordings_a_file_that_says_its_language_alone_belongs_to_none(tmp_path: Path) -> None:
    make_files(tmp_path, "one.mp4", "two.mp4", "Subs/2_English.srt", "Subs/two/2_English.srt")
    assert sidecar_names(tmp_path / "one.mp4") == []
    assert sidecar_names(tmp_path / "two.mp4") == ["Subs/two/2_English.srt"]
    assert find_recording(tmp_path / "Subs" / "2_English.srt") is None


def test_a_loop_of_links_hides_no_other_file(tmp_path: Path) -> None:
    make_files(tmp_path, "film.mp4", "film.srt")
    for name in ("loop.mp4", "loop.srt", "loop"):
        (tmp_path / name).symlink_to(tmp_path / name)
    assert sidecar_names(tmp_path / "film.mp4") == ["film.srt"]


def test_pictures_of_subtitles_are_no_sidecar(tmp_path: Path) -> None:
    make_files(tmp_path, "film.mp4", "film.sub", "film.idx")
    assert sidecar_names(tmp_path / "film.mp4") == []


def test_a_file_that_is_added_later_is_seen(tmp_path: Path) -> None:
    make_files(tmp_path, "film.mp4")
    os.utime(tmp_path, (1e9, 1e9))
    assert sidecar_names(tmp_path / "film.mp4") == []
    make_files(tmp_path, "film.srt")
    assert sidecar_names(tmp_path / "film.mp4") == ["film.srt"]
    (tmp_path / "film.srt").unlink()
    assert sidecar_names(tmp_path / "film.mp4") == []


@pytest.mark.parametrize(
    ("name", "code"),
    [("film.ko.srt", "ko"), ("film.Russian.srt", "ru"), ("Subs/4_jpn.srt", "ja"), ("film.forced.el.srt", "el")],
)
def test_the_name_says_the_language(tmp_path: Path, name: str, code: str) -> None:
    found = find_language(tmp_path / name, tmp_path / "film.mp4")
    assert found is not None
    assert code in found.codes
    assert find_language(tmp_path / "film.srt", tmp_path / "film.mp4") is None


def test_a_folder_is_looked_through_at_once_with_the_same_result_as_pair_by_pair() -> None:
    recordings = ["film.mp4", "Film.mkv", "film.en.mp4", "a.mp4", "a.b.mp4", "B.mp4", "film", "über.mp4"]
    names = [
        *("film.srt", "Film.srt", "FILM.en.srt", "film.en.srt", "film.en.forced.srt", "film.mp4.srt", "film.x.y.z.srt"),
        *("a.srt", "a.b.srt", "a.b.en.srt", "b.srt", "B (English).srt", unicodedata.normalize("NFD", "ÜBER.srt")),
        *("other.srt", "film2.srt", ".srt"),
    ]
    owned = _find_owned(names, recordings)
    for recording in recordings:
        pairs = [name for name in names if _belongs(name, recording, recordings)]
        assert owned.get(recording, []) == pairs, recording
    assert owned["film.mp4"]
