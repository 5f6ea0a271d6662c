"""`afterimage keys`: the secret alone on standard output, once."""

from __future__ import annotations

from pathlib import Path

from services.access.permissions import Permissions
from tests.support.cli_runner import RunCommand
from tests.support.containers import MakeContainer


def test_a_key_is_made_listed_and_revoked(
    run_command: RunCommand, make_container: MakeContainer, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    made = run_command(home, "keys", "create", "the kitchen's", "-s", "read", "-s", "write", "-c", "one", "--days", "2")
    secret = made.stdout.strip()
    assert made.exit_code == 0
    assert "read, write in one; keep the secret" in made.stderr
    rights = Permissions.of_key(make_container(home).api_keys.verify(secret))
    assert (rights.scopes, rights.collections) == ({"read", "write"}, {"one"})
    listed = run_command(home, "keys", "list")
    assert "the kitchen's" in listed.stdout
    assert "valid until" in listed.stdout
    assert secret not in listed.stdout
    assert run_command(home, "keys", "revoke", rights.key_id).stdout.endswith("is refused from now on\n")
    assert run_command(home, "keys", "list", "--json").json[0]["revoked_at"] is not None
    assert "revoked" in run_command(home, "keys", "list").stdout


def test_a_key_reads_everything_unless_more_or_less_is_said(run_command: RunCommand, tmp_path: Path) -> None:
    said = run_command(tmp_path, "keys", "create", "x", "--requests-per-minute", "60", "--json").json
    assert said.pop("secret").startswith(f"ai_{said['id']}_")
    assert (said["scopes"], said["collections"], said["requests_per_minute"]) == (["read"], None, 60)
    assert run_command(tmp_path, "keys", "list", "--json").json == [said]


def test_what_makes_no_key_is_said(run_command: RunCommand, tmp_path: Path) -> None:
    assert "There are no keys" in run_command(tmp_path, "keys", "list").stdout
    for arguments, (exit_code, line) in {
        ("create", "x", "-s", "admin", "-c", "one"): (2, "error: an admin key is one of all collections"),
        ("revoke", "nothing"): (1, "error: no key 'nothing'"),
    }.items():
        said = run_command(tmp_path, "keys", *arguments)
        assert (said.exit_code, len(said.error_lines), said.stdout) == (exit_code, 1, "")
        assert said.error_lines[0].startswith(line)
