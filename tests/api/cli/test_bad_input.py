"""Bad input: one clear line for each, the others go on, nothing half-indexed is seen, nothing is lost."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.container import Container
from services.ingest.types import FileReport, Outcome
from services.settings import load_settings
from services.wiring.models import Models
from tests.support.bad_files import (
    BAD_FILES,
    EARLIER_TEXT,
    GOOD_TEXT,
    NO_MEDIA,
    check_complete,
    encode_picture,
    index_by_name,
    video_bytes,
    write_pdf,
)
from tests.support.cli_runner import RunCommand
from tests.support.containers import BorrowedModels, MakeContainer


@pytest.fixture(scope="module")
def bad_files_run(
    loaded_models: Models, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Container, dict[str, FileReport]]]:
    """All that is bad in one folder with a good file, indexed after another good one."""
    root = tmp_path_factory.mktemp("bad")
    (root / "media").mkdir()
    for name, (make, _) in BAD_FILES.items():
        make(root / "media" / name)
    write_pdf(root / "media" / "good.pdf", GOOD_TEXT)
    write_pdf(root / "earlier.pdf", EARLIER_TEXT)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AFTERIMAGE_HOME", str(root / "home"))
        patched.setenv("AFTERIMAGE_MEDIA__MEMORY_MB", "512")
        settings = load_settings("demo")
    container = Container(settings, BorrowedModels(settings, loaded_models))
    index_by_name(container, root / "earlier.pdf")
    yield container, index_by_name(container, root / "media")
    container.close()


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_gets_one_line_with_the_reason(
    bad_files_run: tuple[Container, dict[str, FileReport]], name: str
) -> None:
    line = bad_files_run[1][name]
    assert line.outcome is Outcome.FAILED
    assert line.asset is None
    assert BAD_FILES[name][1] in line.reason
    assert len(line.reason) < 160 and line.reason.isprintable()


def test_bad_files_cost_nothing_but_themselves(bad_files_run: tuple[Container, dict[str, FileReport]]) -> None:
    container, lines = bad_files_run
    assert {name for name, line in lines.items() if line.outcome is Outcome.INDEXED} == {"good.pdf"}
    assert len(lines) == len(BAD_FILES) + 1
    check_complete(container, {"earlier.pdf", "good.pdf"})


def test_all_of_them_at_once_are_a_line_each_and_exit_code_1(run_command: RunCommand, media_folder: Path) -> None:
    names = [name for name in BAD_FILES if name != "bomb.png"]
    for name in names:
        BAD_FILES[name][0](media_folder / name)
    result = run_command(None, "index", media_folder)
    assert result.exit_code == 1
    assert len(result.error_lines) == len(names)
    for name in names:
        (line,) = [line for line in result.error_lines if name in line.split(": ")[0]]
        assert line.startswith("failed ") and BAD_FILES[name][1] in line
    assert result.stdout.splitlines() == ["indexed good.pdf", f"{len(names)} failed, 1 indexed"]
    again = run_command(None, "index", media_folder, "--json")
    assert again.exit_code == 1
    assert {line["outcome"] for line in again.json["sources"]} == {"failed", "unchanged"}


def test_a_wrong_suffix_does_not_matter_and_text_in_a_folder_is_passed_over(
    make_container: MakeContainer, run_command: RunCommand, media_folder: Path
) -> None:
    (media_folder / "photo.mp4").write_bytes(encode_picture("JPEG"))
    (media_folder / "notes.txt").write_text("Dear diary, today I learned how to write.\n" * 40)
    (media_folder / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><text>hello</text></svg>")
    container = make_container()
    lines = index_by_name(container, media_folder)
    assert lines["photo.mp4"].asset is not None and lines["photo.mp4"].asset.kind == "image"
    assert lines["notes.txt"].outcome is lines["drawing.svg"].outcome is Outcome.SKIPPED
    assert f"skipped notes.txt: {NO_MEDIA}" in run_command(None, "index", media_folder).stdout.splitlines()
    named = index_by_name(container, media_folder / "notes.txt")["notes.txt"]
    assert (named.outcome, named.reason) == (Outcome.FAILED, NO_MEDIA)


def test_subtitle_files_without_a_recording_are_named_and_cost_nothing(
    run_command: RunCommand, media_folder: Path
) -> None:
    video_bytes(media_folder / "film.mp4")
    cue = "1\n00:00:00,000 --> 00:00:01,000\nhello\n"
    (media_folder / "FILM.en.srt").write_text(cue)
    (media_folder / "other.srt").write_text(cue)
    nothing = "is a subtitle file that belongs to no recording here"
    result = run_command(None, "index", media_folder)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "indexed film.mp4",
        "indexed good.pdf",
        f"unmatched other.srt: {nothing}",
        "2 indexed, 1 unmatched",
    ]
    sources = run_command(None, "index", media_folder, "--json").json["sources"]
    assert sources[-1] == {"name": "other.srt", "outcome": "unmatched", "asset": None, "reason": nothing}
    mine = run_command(None, "index", media_folder / "FILM.en.srt")
    assert (mine.exit_code, mine.stdout.splitlines()[0]) == (
        0,
        "sidecar FILM.en.srt: is a subtitle file, which is read when film.mp4 is indexed",
    )
    lone = run_command(None, "index", media_folder / "other.srt")
    assert (lone.exit_code, lone.error_lines) == (1, [f"failed other.srt: {nothing}"])


def test_a_file_that_breaks_keeps_what_was_indexed_of_it(make_container: MakeContainer, media_folder: Path) -> None:
    container = make_container()
    before = index_by_name(container, media_folder)["good.pdf"].asset
    (media_folder / "good.pdf").write_bytes((media_folder / "good.pdf").read_bytes()[:100])
    line = index_by_name(container, media_folder)["good.pdf"]
    assert (line.outcome, line.reason) == (Outcome.FAILED, "is damaged beyond reading")
    check_complete(container, {"good.pdf"})
    assert container.catalog.find("good.pdf") == before


def _falsify_mp4_duration(path: Path, factor: int) -> None:
    film = bytearray(video_bytes(path))
    for box, offset in ((b"mvhd", 20), (b"mdhd", 20), (b"tkhd", 24)):
        at = film.index(box) + offset
        film[at : at + 4] = struct.pack(">I", struct.unpack(">I", film[at : at + 4])[0] * factor)
    path.write_bytes(film)


def _falsify_mkv_duration(path: Path, factor: int) -> None:
    film = bytearray(video_bytes(path))
    at = film.index(b"\x44\x89\x88") + 3
    film[at : at + 8] = struct.pack(">d", struct.unpack(">d", film[at : at + 8])[0] * factor)
    path.write_bytes(film)


@pytest.mark.parametrize(
    ("name", "lie", "factor", "warning"),
    [
        ("film.mp4", _falsify_mp4_duration, 100, ""),
        ("film.mp4", _falsify_mp4_duration, 0, "its header promises 0.0 s, it holds 2.0 s"),
        ("film.mkv", _falsify_mkv_duration, 100, "its header promises 200.0 s, it holds 2.0 s"),
    ],
)
def test_a_header_that_lies_about_its_length_is_not_believed(
    make_container: MakeContainer,
    media_folder: Path,
    name: str,
    lie: Callable[[Path, int], None],
    factor: int,
    warning: str,
) -> None:
    lie(media_folder / name, factor)
    container = make_container()
    line = index_by_name(container, media_folder)[name]
    assert (line.outcome, line.reason) == (Outcome.INDEXED, warning)
    assert line.asset is not None and line.asset.duration_s == pytest.approx(2.0, abs=0.1)
    assert line.asset.warnings == ((warning,) if warning else ())
    check_complete(container, {name, "good.pdf"})


def test_names_that_are_no_text_are_shown_on_one_line_and_found_again(
    run_command: RunCommand, make_container: MakeContainer, media_folder: Path
) -> None:
    (media_folder / "good.pdf").unlink()
    odd = [b"caf\xe9.pdf", b"two\nlines.pdf", b"\x1b[31mred.pdf", b"[bold]:smile: \\.pdf"]
    for number, name in enumerate(odd):
        path = Path(os.fsdecode(os.fsencode(media_folder) + b"/" + name))
        write_pdf(path, f"Number {number}. {GOOD_TEXT}")
    result = run_command(None, "index", media_folder)
    assert result.exit_code == 0, result.stderr
    displayed_names = ["\ufffd[31mred.pdf", "[bold]:smile: \\.pdf", "caf\ufffd.pdf", "two\ufffdlines.pdf"]
    assert result.stdout.splitlines() == [*(f"indexed {name}" for name in displayed_names), "4 indexed"]
    assert sorted(asset["name"] for asset in run_command(None, "list", "--json").json) == sorted(displayed_names)
    for name in displayed_names:
        assert name in run_command(None, "show", name).stdout
    assert run_command(None, "show", os.fsdecode(b"caf\xe9.pdf")).exit_code == 0
    assert run_command(None, "search", os.fsdecode(b"caf\xe9")).error_lines == [
        "error: the question is not valid text (UTF-8)"
    ]


def test_a_folder_of_great_depth_is_searched_through(make_container: MakeContainer, media_folder: Path) -> None:
    at = media_folder
    for _ in range(700):
        at /= "d"
        at.mkdir()
    shutil.copy(media_folder / "good.pdf", at / "deep.pdf")
    assert {line.outcome for line in index_by_name(make_container(), media_folder).values()} == {Outcome.INDEXED}


def _drop_permission_capabilities() -> None:
    """As root, give up the right to read what is forbidden (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH)."""
    if os.geteuid() == 0:
        for capability in (1, 2):
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.slow
def test_what_may_not_be_read_is_named_and_the_others_go_on(media_folder: Path, tmp_path: Path) -> None:
    (media_folder / "secret.png").write_bytes(encode_picture("PNG"))
    (media_folder / "secrets").mkdir()
    for path in (media_folder / "secret.png", media_folder / "secrets"):
        path.chmod(0)
    run = subprocess.run(
        [sys.executable, "-m", "api.cli", "index", "--json", str(media_folder)],
        env=os.environ | {"AFTERIMAGE_HOME": str(tmp_path / "home"), "AFTERIMAGE_PROFILE": "demo"},
        preexec_fn=_drop_permission_capabilities,
        capture_output=True,
        check=False,
    )
    (media_folder / "secrets").chmod(stat.S_IRWXU)
    lines = {Path(line["name"]).name: line for line in json.loads(run.stdout)["sources"]}
    assert run.returncode == 1, run.stderr
    assert run.stderr == b""
    assert lines["good.pdf"]["outcome"] == "indexed"
    for name in ("secret.png", "secrets"):
        assert (lines[name]["outcome"], lines[name]["asset"]) == ("failed", None)
        assert "permission denied" in lines[name]["reason"].lower()


def test_a_home_that_cannot_be_is_one_line(run_command: RunCommand, media_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for command in (("index", media_folder), ("list",), ("search", "marmalade"), ("reindex",)):
        result = run_command(tmp_path / "file", *command)
        assert result.exit_code == 1
        (line,) = result.error_lines
        assert line.startswith(f"error: {tmp_path / 'file'}")
    result = run_command(tmp_path / "file", "doctor", "--json")
    states = {check["part"]: check["state"] for check in result.json["checks"]}
    assert result.exit_code == 1
    assert states["home"] == states["index"] == states["catalog"] == "failed"
    assert states["documents"] == "ok"


def test_a_link_to_itself_is_one_clear_line(run_command: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "self.pdf").symlink_to(tmp_path / "self.pdf")
    result = run_command(None, "index", tmp_path / "self.pdf")
    assert result.exit_code == 1
    assert "self.pdf: cannot be read (too many levels of symbolic links)" in result.stderr
    assert "Traceback" not in result.stderr
