"""FolderBlobs keeps what the BlobStore port promises."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from indexer.errors import StorageFull
from indexer.storage import folder_blobs as folder_module
from indexer.storage.folder_blobs import FolderBlobs
from tests.support.contract_blob_store import BlobStoreContract


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


class TestFolderBlobs(BlobStoreContract):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> FolderBlobs:
        return FolderBlobs(tmp_path / "blobs")


def test_nothing_is_left_of_what_was_deleted(blobs: FolderBlobs, tmp_path: Path) -> None:
    for key in ("x/1", "x/y/2", "z/3"):
        blobs.put(key, b"")
    blobs.delete_prefix("x")
    assert sorted(path.name for path in (tmp_path / "blobs").iterdir()) == ["z"]


def test_what_a_kill_left_of_a_deletion_goes_with_a_later_one(blobs: FolderBlobs, tmp_path: Path) -> None:
    root = tmp_path / "blobs"
    for name, age_s in (("old", 7200), ("new", 60)):
        (root / f".deleting-{name}" / "x").mkdir(parents=True)
        os.utime(root / f".deleting-{name}", (time.time() - age_s,) * 2)
    blobs.put("x/1", b"")
    assert blobs.delete_prefix("x") == 1
    assert [path.name for path in root.iterdir()] == [".deleting-new"]


def test_a_full_disk_leaves_the_old_bytes_and_no_debris(
    blobs: FolderBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs.put("a/key", b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(folder_module.os, "fsync", full)
        (tmp_path / "new").write_bytes(b"new")
        with pytest.raises(StorageFull, match="no space left"):
            blobs.put("a/key", b"new")
        with pytest.raises(StorageFull, match="no space left"):
            blobs.put_file("a/key", tmp_path / "new")
    assert blobs.get("a/key") == b"old"
    assert [path.name for path in (tmp_path / "blobs" / "a").iterdir()] == ["key"]
