"""`delete` and `prune` ask before they act, show what they would do, and refuse what is not clear."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import console, deletion
from api.cli.main import app
from tests.support.cli_runner import RunCommand
from tests.support.containers import MakeContainer
from tests.support.pictures import draw_noise

SETTINGS = {"text__model": "", "ocr__enabled": "false"}
NAMES = ("a/report.png", "b/report.png", "c.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        draw_noise(tmp_path / "files" / name, number)
    return tmp_path / "files"


@pytest.fixture
def home(run_command: RunCommand, folder: Path, tmp_path: Path) -> Path:
    assert run_command(tmp_path / "home", "index", folder, **SETTINGS).exit_code == 0
    return tmp_path / "home"


def list_names(run_command: RunCommand, home: Path) -> list[str]:
    return sorted(asset["name"] for asset in run_command(home, "list", "--json", **SETTINGS).json)


@pytest.mark.parametrize(("answer", "left"), [("n", NAMES), ("y", NAMES[:2])])
def test_somebody_who_sits_there_is_asked(
    run_command: RunCommand,
    make_container: MakeContainer,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    left: tuple[str, ...],
) -> None:
    monkeypatch.setattr(deletion, "_is_somebody_there", lambda: True)
    monkeypatch.setattr(console, "Container", lambda *_: make_container(home, **SETTINGS))
    said = CliRunner().invoke(app, ["delete", "c.png"], input=f"{answer}\n")
    assert "c.png" in said.stdout and "Delete c.png from every collection? [y/N]" in said.stdout
    assert list_names(run_command, home) == list(left)


def test_a_name_that_fits_several_is_refused(run_command: RunCommand, home: Path) -> None:
    said = run_command(home, "delete", "report.png", "--yes", **SETTINGS)
    assert said.exit_code == 1 and "fits 2 assets" in said.stderr
    assert list_names(run_command, home) == list(NAMES)


def test_a_dry_run_shows_and_keeps(run_command: RunCommand, home: Path) -> None:
    assert "c.png" in run_command(home, "delete", "c.png", "--dry-run", **SETTINGS).stdout
    shown = run_command(home, "delete", "-c", "default", "--dry-run", "--json", **SETTINGS).json
    assert sorted(entry["name"] for entry in shown["would_delete"]) == list(NAMES)
    assert list_names(run_command, home) == list(NAMES)


def test_a_collection_goes_with_its_contents(run_command: RunCommand, home: Path, folder: Path) -> None:
    run_command(home, "index", folder / "c.png", "-c", "other", **SETTINGS)
    said = run_command(home, "delete", "-c", "default", **SETTINGS)
    assert said.stdout.splitlines()[-1] == "collection default deleted, 3 assets"
    assert list_names(run_command, home) == ["c.png"]
    assert "no collection 'default'" in run_command(home, "list", "-c", "default", **SETTINGS).stderr


def test_delete_of_nothing_is_wrong_usage(run_command: RunCommand, home: Path) -> None:
    said = run_command(home, "delete", **SETTINGS)
    assert said.exit_code == 2 and "--collection" in said.stderr


def test_prune_shows_what_is_gone_and_removes_it(run_command: RunCommand, home: Path, folder: Path) -> None:
    assert run_command(home, "prune", **SETTINGS).exit_code == 3
    (folder / "c.png").unlink()
    said = run_command(home, "index", folder, **SETTINGS)
    assert "gone c.png: its file is gone; it is still searched" in said.stdout
    assert "(gone)" in run_command(home, "list", **SETTINGS).stdout
    assert "(gone since" in run_command(home, "show", "c.png", **SETTINGS).stdout
    assert (folder / "c.png").as_uri() in run_command(home, "prune", "--dry-run", **SETTINGS).stdout
    assert list_names(run_command, home) == list(NAMES)
    said = run_command(home, "prune", **SETTINGS)
    assert said.stdout.splitlines()[-1] == "1 file forgotten, 1 asset removed"
    assert list_names(run_command, home) == list(NAMES[:2])


def test_index_prunes_when_it_is_told_to(run_command: RunCommand, home: Path, folder: Path) -> None:
    (folder / "c.png").unlink()
    said = run_command(home, "index", folder, "--prune", **SETTINGS)
    assert said.stdout.splitlines()[-1] == "1 gone, 2 unchanged"
    assert list_names(run_command, home) == list(NAMES[:2])


def test_where_every_file_is_gone_a_script_removes_nothing(run_command: RunCommand, home: Path, folder: Path) -> None:
    for name in NAMES:
        (folder / name).unlink()
    said = run_command(home, "prune", "--yes", **SETTINGS)
    assert said.exit_code == 1 and "is its disk connected?" in said.stderr
    assert list_names(run_command, home) == list(NAMES)
