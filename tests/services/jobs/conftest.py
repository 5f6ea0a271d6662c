"""The store of jobs, and what workers do with them."""

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
def made_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make_files(folder)
    return folder


@pytest.fixture
def files(made_files: Path, tmp_path: Path) -> Path:
    """Files to take in, in a folder that may be added to."""
    return Path(shutil.copytree(made_files, tmp_path / "files"))


@pytest.fixture
def asking(services: MakeContainer, files: Path) -> Callable[..., Container]:
    """Makes containers at which jobs are asked for; `files` may be taken in."""
    return lambda **settings: services(**{**FAST_JOB_SETTINGS, "ingest__allowed_roots": f'["{files}"]'} | settings)
