"""A disk that fills up while files are indexed: nothing is lost, and nothing half-indexed is seen."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from indexer.errors import StorageFull
from services.container import Container
from services.ingest.types import FileReport, Outcome
from tests.support.bad_files import (
    EARLIER_TEXT,
    GOOD_TEXT,
    check_complete,
    index_by_name,
    write_pdf,
)
from tests.support.cli_runner import RunCommand
from tests.support.containers import MakeContainer


@contextmanager
def _limit_file_size(size: int) -> Iterator[None]:
    """Writing a file beyond that many bytes fails, as it does over a quota."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _index_on_full_disk(container: Container, media_folder: Path) -> tuple[dict[str, FileReport], StorageFull | None]:
    """The lines of a run on a disk that may be full; where even its end could not be written, the error too."""
    lines: dict[str, FileReport] = {}
    try:
        for line in container.indexing.index_paths([media_folder], "default"):
            lines[line.name] = line
    except StorageFull as error:
        return lines, error
    return lines, None


@pytest.mark.parametrize("size", [0, 2000, 64 << 10, 330_000])
def test_a_quota_that_is_reached_loses_nothing_and_half_indexes_nothing(
    make_container: MakeContainer, media_folder: Path, tmp_path: Path, size: int
) -> None:
    write_pdf(tmp_path / "earlier.pdf", EARLIER_TEXT)
    index_by_name(make_container(), tmp_path / "earlier.pdf")
    container = make_container()
    with _limit_file_size(size):
        lines, error = _index_on_full_disk(container, media_folder)
    failed = [line for line in lines.values() if line.outcome is Outcome.FAILED]
    assert failed or error is not None or size > 300_000
    for line in failed:
        assert "cannot be written" in line.reason or "no space left" in line.reason, line.reason
    for each_container in (container, make_container()):
        check_complete(each_container, {"earlier.pdf"} | ({"good.pdf"} if lines and not failed else set()))
    lines = index_by_name(container, media_folder)
    assert lines["good.pdf"].outcome in (Outcome.INDEXED, Outcome.UNCHANGED)
    check_complete(container, {"earlier.pdf", "good.pdf"})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("free_kb", [0, 40, 80, 120])
def test_a_disk_that_fills_up_loses_nothing_and_half_indexes_nothing(
    small_disk: Path, make_container: MakeContainer, media_folder: Path, tmp_path: Path, free_kb: int
) -> None:
    home = small_disk / "home"
    write_pdf(tmp_path / "earlier.pdf", EARLIER_TEXT)
    first = make_container(home)
    index_by_name(first, tmp_path / "earlier.pdf")
    first.close()
    space = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes(space.f_bavail * space.f_frsize - (free_kb << 10)))
    lines, error = _index_on_full_disk(make_container(home), media_folder)
    failed = [line for line in lines.values() if line.outcome is Outcome.FAILED]
    assert failed or error is not None or free_kb > 100
    for line in failed:
        assert "full" in line.reason or "no space left" in line.reason, line.reason
    (small_disk / "filler").unlink()
    container = make_container(home)
    check_complete(container, {"earlier.pdf"} | ({"good.pdf"} if lines and not failed else set()))
    index_by_name(container, media_folder)
    check_complete(container, {"earlier.pdf", "good.pdf"})


def test_a_full_disk_is_one_line_for_each_file_and_exit_code_1(
    small_disk: Path, run_command: RunCommand, media_folder: Path
) -> None:
    home = small_disk / "home"
    assert run_command(home, "index", media_folder).exit_code == 0
    write_pdf(media_folder / "more.pdf", EARLIER_TEXT)
    space = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes(space.f_bavail * space.f_frsize - (100 << 10)))
    result = run_command(home, "index", media_folder)
    assert result.exit_code == 1
    assert [line for line in result.error_lines if line.startswith("failed more.pdf: ")]
    assert result.stdout.splitlines()[0] == "unchanged good.pdf"
    assert [asset["name"] for asset in run_command(home, "list", "--json").json] == ["good.pdf"]
    assert run_command(home, "search", GOOD_TEXT).exit_code == 0
