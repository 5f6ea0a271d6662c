"""What many tests share: the sample archive, and the services over it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.container import Container
from services.settings import load_settings

Services = Callable[..., Container]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests gets in."""
    import os

    for name in list(os.environ):
        if name.startswith("AFTERIMAGE_") and not name.startswith("AFTERIMAGE_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample archive, drawn once."""
    from demoworld.archive import make_archive

    folder = tmp_path_factory.mktemp("archive")
    make_archive(folder)
    return folder


@pytest.fixture(scope="session")
def indexed_home(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the sample archive is indexed; not to be changed by tests."""
    home = tmp_path_factory.mktemp("indexed")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AFTERIMAGE_HOME", str(home))
        container = Container(load_settings("demo"))
        lines = list(container.indexing.index([archive], "default"))
        container.close()
    assert [line for line in lines if line.outcome == "failed"] == []
    return home


@pytest.fixture
def home(indexed_home: Path, tmp_path: Path) -> Path:
    """A copy of the indexed home, to be changed as a test likes."""
    return Path(shutil.copytree(indexed_home, tmp_path / "home", symlinks=True))


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Makes containers: `services(home, **settings)`, with settings named as their variables are, `text__model=""`."""
    made: list[Container] = []

    def make(home: Path | None = None, **settings: object) -> Container:
        with monkeypatch.context() as patched:
            patched.setenv("AFTERIMAGE_HOME", str(home or tmp_path / "home"))
            for name, value in settings.items():
                patched.setenv(f"AFTERIMAGE_{name.upper()}", str(value))
            made.append(Container(load_settings("demo")))
        return made[-1]

    yield make
    for container in made:
        container.close()
