"""`FolderBlobs`: the blob store of one machine, a folder of files."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from indexer.errors import ArtifactError, StorageFull

_UNFINISHED = ".writing"


class FolderBlobs:
    """Blobs as files below `root`; a key's parts are folders. See `indexer.ports.BlobStore`.

    A write goes to a temporary name, is fsynced and renamed, and the folder is fsynced: after a crash a key holds its
    old bytes or its new ones.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes) -> None:
        self._put(key, lambda file: file.write(data))

    def put_file(self, key: str, file: Path) -> None:
        with file.open("rb") as given:
            self._put(key, partial(shutil.copyfileobj, given))

    @contextmanager
    def fetched(self, key: str) -> Iterator[Path]:
        path = self._path(key)
        if not path.is_file():
            raise ArtifactError(f"{path}: cannot be read (no such file)")
        yield path

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        path = self._path(key)
        try:
            with path.open("rb") as file:
                file.seek(offset)
                data = file.read(-1 if length is None else length)
        except OSError as error:
            raise ArtifactError(f"{path}: cannot be read ({error.strerror})") from error
        if length is not None and len(data) != length:
            raise ArtifactError(f"{path}: is {length - len(data)} bytes short")
        return data

    def names(self, prefix: str) -> Iterator[str]:
        top = self._path(prefix)
        found = sorted(path for path in top.rglob("*") if path.is_file() and path.suffix != _UNFINISHED)
        return (path.relative_to(self._root).as_posix() for path in found)

    def delete(self, prefix: str) -> int:
        """Remove all below `prefix`. Everything vanishes from its name in one rename before the bytes are freed."""
        top = self._path(prefix)
        count = sum(1 for _ in self.names(prefix))
        if top.is_dir():
            doomed = Path(tempfile.mkdtemp(prefix=".deleting-", dir=self._root))
            top.rename(doomed / "x")
            shutil.rmtree(doomed)
            _remove_empty_parents(top.parent, self._root)
        return count

    def _put(self, key: str, write: Callable[[IO[bytes]], object]) -> None:
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_durably(path, write)
        except OSError as error:
            raise _translated(error, path) from error

    def _path(self, key: str) -> Path:
        path = self._root / key
        if ".." in path.parts or not path.is_relative_to(self._root):
            raise ArtifactError(f"{key!r} is not a key")
        return path


def _write_durably(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    unfinished = path.with_name(path.name + _UNFINISHED)
    try:
        with unfinished.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Make the names in `folder` durable, so that a rename survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _translated(error: OSError, path: Path) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFull(f"{path.parent}: no space left to write ({error.strerror})")
    return StorageFull(f"{path}: cannot be written ({error.strerror})")


def _remove_empty_parents(folder: Path, root: Path) -> None:
    while folder != root and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
