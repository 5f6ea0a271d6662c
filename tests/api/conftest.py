"""Fixtures: the command line inside the test's process with shared models, and a server over a small archive."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from api.cli import console
from api.cli.main import app
from services.container import Container
from tests.support.cli_runner import CommandResult, RunCommand
from tests.support.containers import MakeContainer, copy_home
from tests.support.live_server import live_server
from tests.support.small_archive import index_small_archive, make_small_archive, open_small_archive
from tests.support.waiting import TIMEOUT_S


@pytest.fixture
def run_command(make_container: MakeContainer, monkeypatch: pytest.MonkeyPatch) -> RunCommand:
    """Run a command over a home with these settings; see `RunCommand`."""

    def run(home: Path | None, *arguments: object, **settings: object) -> CommandResult:
        monkeypatch.setattr(console, "Container", lambda *_: make_container(home, **settings))
        with _logging_kept():
            result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
        return CommandResult(result.exit_code, result.stdout, result.stderr)

    return run


@contextmanager
def _logging_kept() -> Iterator[None]:
    """Restore the logging of the process, which servers and workers configure, onto a stream that ends with them."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@pytest.fixture(scope="session")
def small_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of `tests.support.small_archive`."""
    folder = tmp_path_factory.mktemp("plain")
    make_small_archive(folder)
    return folder


@pytest.fixture(scope="session")
def small_home(small_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the small archive is indexed; not to be changed by tests."""
    home = tmp_path_factory.mktemp("plain-home")
    container = open_small_archive(home)
    index_small_archive(container, small_archive)
    container.close()
    return home


@pytest.fixture(scope="session")
def read_only_client(small_home: Path) -> Iterator[httpx2.Client]:
    """A client of an open server over the small archive, which tests do not change."""
    container = open_small_archive(small_home)
    with live_server(container) as url, httpx2.Client(base_url=url, timeout=TIMEOUT_S) as client:
        yield client
    container.close()


@pytest.fixture(scope="module")
def module_container(small_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """The services over a copy of the small archive that the tests of a module share."""
    container = open_small_archive(copy_home(small_home, tmp_path_factory.mktemp("copy") / "home"))
    yield container
    container.close()


@pytest.fixture
def writable_container(small_home: Path, tmp_path: Path) -> Iterator[Container]:
    """The services over a copy of the small archive that a test may change."""
    container = open_small_archive(copy_home(small_home, tmp_path / "home"))
    yield container
    container.close()
