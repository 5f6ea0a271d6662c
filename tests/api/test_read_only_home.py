"""A home on read-only storage: it is listed, searched and served; what would change it is one clear error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from indexer.errors import ArtifactError, ReadOnlyArchive
from services.database.engine import SqlDatabase
from tests.support.cli_runner import RunCommand
from tests.support.containers import copy_home
from tests.support.live_server import live_server
from tests.support.read_only_storage import read_only
from tests.support.small_archive import GULLS_QUERY, ROPE_QUERY, WITHOUT_MODELS, open_small_archive
from tests.support.waiting import TIMEOUT_S

OFF = f"error: {ReadOnlyArchive()}"


@pytest.fixture
def read_only_home(small_home: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the small archive's home that cannot be written to."""
    home = copy_home(small_home, tmp_path / "home")
    with read_only(home):
        yield home


@pytest.mark.parametrize(
    "command",
    [
        ("list", "--json"),
        ("show", "gulls.mp4", "--json"),
        ("search", GULLS_QUERY, "--json"),
        ("ask", "What does the mooring rope cost?", "--json"),
        ("jobs", "list"),
        ("keys", "list"),
    ],
)
def test_what_only_reads_answers_as_on_other_storage(
    run_command: RunCommand, read_only_home: Path, small_home: Path, command: tuple[str, ...]
) -> None:
    said = run_command(read_only_home, *command, **WITHOUT_MODELS)
    assert (said.exit_code, said.error_lines) == (0, [])
    assert said.stdout == run_command(small_home, *command, **WITHOUT_MODELS).stdout
    assert said.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("index", "."),
        ("watch", "."),
        ("delete", "gulls.mp4"),
        ("reindex",),
        ("keys", "create", "mine"),
        ("worker",),
        ("summarize", "gulls.mp4"),
    ],
)
def test_what_would_change_it_says_why_it_cannot(
    run_command: RunCommand,
    read_only_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    (tmp_path / "media").mkdir()
    monkeypatch.chdir(tmp_path / "media")
    said = run_command(read_only_home, *command, **WITHOUT_MODELS)
    assert (said.exit_code, said.error_lines[-1:]) == (1, [OFF])


def test_doctor_says_what_is_off(run_command: RunCommand, read_only_home: Path) -> None:
    checks = run_command(read_only_home, "doctor", "--json", **WITHOUT_MODELS).json["checks"]
    states = {check["part"]: (check["state"], check["detail"]) for check in checks}
    assert states["home"] == ("off", f"{read_only_home}: {ReadOnlyArchive()}")
    assert states["catalog"][0] == states["index"][0] == "ok"
    assert not [check for check in checks if check["state"] == "failed"]


def test_a_server_searches_it_and_says_that_it_changes_nothing(read_only_home: Path) -> None:
    with (
        closing(open_small_archive(read_only_home)) as container,
        live_server(container) as url,
        httpx2.Client(base_url=url, timeout=TIMEOUT_S) as client,
    ):
        ready = client.get("/readyz").json()
        assert (ready["ready"], ready["parts"]["storage"]) == (True, "read-only")
        for headers in ({}, {"Idempotency-Key": "one"}):
            found = client.post("/v1/search", json={"question": ROPE_QUERY}, headers=headers)
            assert found.status_code == 200 and found.json()["hits"]
        refused = client.put("/v1/collections/new")
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:afterimage:read-only-archive")
        assert refused.json()["detail"] == str(ReadOnlyArchive())


def test_what_a_killed_process_left_in_the_log_is_read(small_home: Path, tmp_path: Path) -> None:
    home = copy_home(small_home, tmp_path / "home")
    with closing(open_small_archive(home)) as container:
        container.catalog.create_collection("late")
        left = Path(shutil.copytree(home, tmp_path / "left", symlinks=True))
    assert (left / "catalog.db-wal").stat().st_size > 0
    with read_only(left), closing(open_small_archive(left)) as container:
        assert "late" in container.catalog.collections()


def test_a_catalog_of_another_layout_is_not_migrated_but_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with closing(SqlDatabase(f"sqlite:///{home / 'catalog.db'}")) as database:
        home.mkdir()
        with database.write() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0007'")
    with (
        read_only(home),
        closing(SqlDatabase(f"sqlite:///{home / 'catalog.db'}")) as database,
        pytest.raises(ArtifactError, match=r"layout 0007, this is layout .*: run this version once where it can be"),
        database.read(),
    ):
        pass


@pytest.mark.slow
def test_a_read_only_mount_is_listed(small_home: Path, tmp_path: Path) -> None:
    home = copy_home(small_home, tmp_path / "home")
    mount = f"mount --bind '{home}' '{home}' && mount -o remount,ro,bind '{home}'"
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "sh", "-c", mount], check=False).returncode:
        pytest.skip("no mount can be made here")
    listing = f"{mount} && exec '{sys.executable}' -m api.cli list"
    settings = {f"AFTERIMAGE_{name.upper()}": value for name, value in WITHOUT_MODELS.items()}
    run = subprocess.run(
        ["unshare", "-m", "sh", "-c", listing],
        env=os.environ | settings | {"AFTERIMAGE_HOME": str(home), "AFTERIMAGE_PROFILE": "demo"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "gulls.mp4" in run.stdout and "prices.pdf" in run.stdout
