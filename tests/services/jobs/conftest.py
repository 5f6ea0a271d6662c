"""Fixtures: job store, leases, files to index, and containers at which jobs are submitted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from services.container import Container
from services.database.engine import SqlDatabase
from services.jobs.leases import Leases
from services.jobs.store import JobStore
from tests.support.containers import MakeContainer
from tests.support.job_workers import FAST_JOB_SETTINGS, make_files


@pytest.fixture
def jobs(database: SqlDatabase) -> JobStore:
    return JobStore(database, max_attempts=3)


@pytest.fixture
def leases(database: SqlDatabase) -> Leases:
    return Leases(database, lease_s=60, retry_backoff_s=0)


@pytest.fixture(scope="session")
def session_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make_files(folder)
    return folder


@pytest.fixture
def files(session_files: Path, tmp_path: Path) -> Path:
    """Files to index, in a folder that may be added to."""
    return Path(shutil.copytree(session_files, tmp_path / "files"))


@pytest.fixture
def make_job_container(make_container: MakeContainer, files: Path) -> Callable[..., Container]:
    """Make containers at which jobs are submitted; `files` may be indexed."""
    return lambda **settings: make_container(
        **{**FAST_JOB_SETTINGS, "ingest__allowed_roots": f'["{files}"]'} | settings
    )
