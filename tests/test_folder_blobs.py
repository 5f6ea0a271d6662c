"""FolderBlobs keeps what the BlobStore port promises."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from indexer.blobs import folder as folder_module
from indexer.blobs.folder import FolderBlobs
from indexer.errors import ArtifactError, StorageFull


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


def test_what_was_put_is_read_back_whole_and_in_parts(blobs: FolderBlobs) -> None:
    blobs.put("a/b/c.bin", b"0123456789")
    assert blobs.get("a/b/c.bin") == b"0123456789"
    assert blobs.get("a/b/c.bin", offset=3, length=4) == b"3456"


def test_a_missing_key_and_a_short_one_are_artifact_errors(blobs: FolderBlobs) -> None:
    blobs.put("short", b"abc")
    with pytest.raises(ArtifactError, match="cannot be read"):
        blobs.get("missing")
    with pytest.raises(ArtifactError, match="2 bytes short"):
        blobs.get("short", offset=1, length=4)


def test_names_are_sorted_and_below_the_prefix_only(blobs: FolderBlobs) -> None:
    for key in ("x/2", "x/1", "x/y/3", "xx/4"):
        blobs.put(key, b"")
    assert list(blobs.names("x")) == ["x/1", "x/2", "x/y/3"]
    assert list(blobs.names("nothing")) == []


def test_delete_removes_all_below_and_counts_it(blobs: FolderBlobs, tmp_path: Path) -> None:
    for key in ("x/1", "x/y/2", "z/3"):
        blobs.put(key, b"")
    assert blobs.delete("x") == 2
    assert blobs.delete("x") == 0
    assert list(blobs.names("z")) == ["z/3"]
    assert sorted(path.name for path in (tmp_path / "blobs").iterdir()) == ["z"]


def test_a_key_cannot_leave_the_store(blobs: FolderBlobs) -> None:
    for key in ("../outside", "/etc/passwd", "a/../../b"):
        with pytest.raises(ArtifactError, match="is not a key"):
            blobs.put(key, b"")


def test_a_full_disk_leaves_the_old_bytes_and_no_debris(
    blobs: FolderBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs.put("a/key", b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(folder_module.os, "fsync", full)
        with pytest.raises(StorageFull, match="no space left"):
            blobs.put("a/key", b"new")
    assert blobs.get("a/key") == b"old"
    assert [path.name for path in (tmp_path / "blobs" / "a").iterdir()] == ["key"]


def test_a_file_is_put_and_fetched_as_bytes_are(blobs: FolderBlobs, tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"0123456789" * 100_000)
    blobs.put_file("media/x/film", tmp_path / "film")
    assert blobs.get("media/x/film") == (tmp_path / "film").read_bytes()
    with blobs.fetched("media/x/film") as path:
        assert path.read_bytes() == (tmp_path / "film").read_bytes()
    with pytest.raises(ArtifactError, match="cannot be read"), blobs.fetched("media/x/missing"):
        pass
