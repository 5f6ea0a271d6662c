"""`afterimage backup` and `restore`: an archive moves to another folder while a server answers from it."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli_runner import RunCommand

QUESTION = "What is the notice period once probation is over?"


def test_an_archive_moves_to_another_home(run_command: RunCommand, indexed_home: Path, tmp_path: Path) -> None:
    folder, home = tmp_path / "backup", tmp_path / "home"
    made = run_command(indexed_home, "backup", str(folder))
    assert made.exit_code == 0
    assert made.stdout.splitlines()[0].endswith(str(folder))
    restored = run_command(home, "restore", str(folder), "--json")
    assert restored.exit_code == 0
    assert restored.json["assets"] == len(run_command(indexed_home, "list", "--json").json)
    assert run_command(home, "ask", QUESTION).stdout == run_command(indexed_home, "ask", QUESTION).stdout


def test_what_is_no_backup_is_named(run_command: RunCommand, tmp_path: Path) -> None:
    result = run_command(tmp_path / "home", "restore", str(tmp_path))
    assert result.exit_code == 1
    assert f"{tmp_path}: is no backup, or one that was cut off (no backup.json)" in result.stderr
