"""The command line, run inside the test's process with the models that are loaded; a server over a small archive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from api.cli import console
from api.cli.main import app
from services.container import Container
from tests.support.cli_runner import CommandResult, RunCommand
from tests.support.containers import MakeContainer
from tests.support.live_server import live_server
from tests.support.small_archive import copy_home, index_small_archive, make_small_archive, open_small_archive


@pytest.fixture
def cli(services: MakeContainer, monkeypatch: pytest.MonkeyPatch) -> RunCommand:
    """Runs a command; see `running.Cli`."""

    def run(home: Path | None, *arguments: object, **settings: object) -> CommandResult:
        monkeypatch.setattr(console, "Container", lambda *_: services(home, **settings))
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
        return CommandResult(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture(scope="session")
def plain_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small archive of `plain`."""
    folder = tmp_path_factory.mktemp("plain")
    make_small_archive(folder)
    return folder


@pytest.fixture(scope="session")
def plain_home(plain_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which it is indexed; not to be changed by tests."""
    home = tmp_path_factory.mktemp("plain-home")
    container = open_small_archive(home)
    index_small_archive(container, plain_archive)
    container.close()
    return home


@pytest.fixture(scope="session")
def reading(plain_home: Path) -> Iterator[httpx2.Client]:
    """A client of a server over the small archive, which is open and which nobody changes."""
    container = open_small_archive(plain_home)
    with live_server(container) as url, httpx2.Client(base_url=url, timeout=30) as client:
        yield client
    container.close()


@pytest.fixture(scope="module")
def plain_home_copy(plain_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """The services over a copy of it, which the tests of a module share."""
    container = open_small_archive(copy_home(plain_home, tmp_path_factory.mktemp("copy") / "home"))
    yield container
    container.close()


@pytest.fixture
def changing(plain_home: Path, tmp_path: Path) -> Iterator[Container]:
    """The services over a copy of it, to be changed as a test likes."""
    container = open_small_archive(copy_home(plain_home, tmp_path / "home"))
    yield container
    container.close()
