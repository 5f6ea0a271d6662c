"""What many tests share: the sample archive, and the services over it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.container import Container
from services.database.engine import SqlDatabase
from services.settings import load_settings
from services.wiring.models import Models
from tests.support import database_servers
from tests.support.containers import MakeContainer, copy_home, open_container
from tests.support.shared_folders import make_once


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests gets in."""
    import os

    for name in list(os.environ):
        if name.startswith("AFTERIMAGE_") and not name.startswith("AFTERIMAGE_TEST_"):
            monkeypatch.delenv(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests begin first, so that none is left alone at the end.

    Of these, one that indexes the sample archive is the very first, and the others that need it are the last: while one
    worker indexes, the others do what needs no archive instead of waiting for it.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    with_archive = {item.path for item in items if "indexed_home" in getattr(item, "fixturenames", ())}
    first = next((item.path for item in items if item.path in slow & with_archive), None)
    items.sort(key=lambda item: (item.path != first, item.path not in slow, item.path in with_archive))


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample archive, drawn once; not to be changed by tests."""
    from demoworld.archive import make_archive

    return make_once(tmp_path_factory, "archive", make_archive)


@pytest.fixture(scope="session")
def indexed_home(archive: Path, loaded_models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the sample archive is indexed, one for each worker; not to be changed by tests."""

    def index(home: Path) -> None:
        with closing(open_container(home, loaded_models)) as container:
            lines = list(container.indexing.index_paths([archive], "default"))
        assert [line for line in lines if line.outcome == "failed"] == []

    indexed = make_once(tmp_path_factory, "indexed", index)
    return Path(shutil.copytree(indexed, tmp_path_factory.mktemp("indexed") / "home", symlinks=True))


@pytest.fixture
def home_copy(indexed_home: Path, tmp_path: Path) -> Path:
    """A copy of the indexed home, to be changed as a test likes."""
    return copy_home(indexed_home, tmp_path / "home")


@pytest.fixture(scope="session")
def loaded_models() -> Models:
    """The models of profile `demo`, which the containers of tests borrow, so that each is loaded once."""
    return Models(load_settings("demo"))


@pytest.fixture
def make_container(tmp_path: Path, loaded_models: Models) -> Iterator[MakeContainer]:
    """Makes containers that are closed after the test; see `tests.support.containers.MakeContainer`."""
    containers: list[Container] = []

    def make(home: Path | None = None, **settings: object) -> Container:
        container = open_container(home or tmp_path / "home", loaded_models, **settings)
        containers.append(container)
        return container

    yield make
    for container in containers:
        container.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[database_servers.PostgresServer]:
    """A PostgreSQL server; a test that stops it starts it again."""
    with database_servers.start_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: database_servers.PostgresServer) -> Iterator[str]:
    """The address of an empty database on it."""
    with postgres_server.create_database() as url:
        yield url


@pytest.fixture(scope="session")
def session_redis() -> Iterator[database_servers.RedisServer]:
    """The redis-server of all tests of a process; a test that stops it starts it again."""
    with database_servers.start_redis() as server:
        yield server


@pytest.fixture
def redis_server(session_redis: database_servers.RedisServer) -> database_servers.RedisServer:
    """A redis-server with nothing in it, whatever the test before left."""
    session_redis.flush()
    return session_redis


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalog.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[SqlDatabase]:
    """An empty database, of each kind."""
    made = SqlDatabase(database_url)
    yield made
    made.close()
