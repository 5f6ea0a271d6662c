"""`FolderBlobs`: the blob store of one machine, a folder of files."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from indexer.errors import ArtifactError, StorageFull
from indexer.storage.blob_keys import validate_key

_TRASH_PREFIX, _STALE_TRASH_S = ".deleting-", 3600.0
_TEMPORARY_SUFFIX = ".writing"
_CHUNK_BYTES = 1 << 20


class FolderBlobs:
    """Blobs as files below `root`; a key's parts are folders. See `indexer.ports.BlobStore`.

    A write goes to a temporary name, is fsynced and renamed, and the folder is fsynced: after a crash a key holds its
    old bytes or its new ones.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes) -> None:
        self._write(key, lambda file: file.write(data))

    def put_file(self, key: str, path: Path) -> None:
        with path.open("rb") as source:
            self._write(key, lambda file: shutil.copyfileobj(source, file, _CHUNK_BYTES))

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        path = self._path(key)
        try:
            with path.open("rb") as file:
                file.seek(offset)
                data = file.read(-1 if length is None else length)
        except OSError as error:
            raise _to_read_error(path, error) from error
        if length is not None and len(data) != length:
            raise ArtifactError(f"{path}: is {length - len(data)} bytes short")
        return data

    def stream(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        remaining = (self.size(key) if end is None else end) - start
        path = self._path(key)
        try:
            with path.open("rb") as file:
                file.seek(start)
                while remaining > 0:
                    data = file.read(min(remaining, _CHUNK_BYTES))
                    if not data:
                        raise ArtifactError(f"{path}: is {remaining} bytes short")
                    remaining -= len(data)
                    yield data
        except OSError as error:
            raise (error if isinstance(error, ArtifactError) else _to_read_error(path, error)) from error

    @contextmanager
    def local_file(self, key: str) -> Iterator[Path]:
        self.size(key)
        yield self._path(key)

    def size(self, key: str) -> int:
        path = self._path(key)
        try:
            found = path.stat()
        except OSError as error:
            raise _to_read_error(path, error) from error
        if not stat.S_ISREG(found.st_mode):
            raise ArtifactError(f"{path}: is no blob")
        return found.st_size

    def list_keys(self, prefix: str) -> Iterator[str]:
        top = self._path(prefix)
        found = sorted(path for path in top.rglob("*") if path.is_file() and path.suffix != _TEMPORARY_SUFFIX)
        return (path.relative_to(self._root).as_posix() for path in found)

    def delete_prefix(self, prefix: str) -> int:
        """Remove all below `prefix`. Everything vanishes from its name in one rename before the bytes are freed;
        what a kill left of that goes with the next deletion that comes an hour later."""
        top = self._path(prefix)
        count = sum(1 for _ in self.list_keys(prefix))
        for left in self._root.glob(f"{_TRASH_PREFIX}*"):
            if left.stat().st_mtime < time.time() - _STALE_TRASH_S:
                shutil.rmtree(left, ignore_errors=True)
        if top.is_dir():
            doomed = Path(tempfile.mkdtemp(prefix=_TRASH_PREFIX, dir=self._root))
            top.rename(doomed / "x")
            shutil.rmtree(doomed)
            _remove_empty_parents(top.parent, self._root)
        return count

    def _path(self, key: str) -> Path:
        return self._root / validate_key(key)

    def _write(self, key: str, write: Callable[[BinaryIO], object]) -> None:
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_durably(path, write)
        except OSError as error:
            raise _to_write_error(error, path) from error


def _write_durably(path: Path, write: Callable[[BinaryIO], object]) -> None:
    unfinished = path.with_name(path.name + _TEMPORARY_SUFFIX)
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


def _to_read_error(path: Path, error: OSError) -> ArtifactError:
    return ArtifactError(f"{path}: cannot be read ({error.strerror})")


def fsync_folder(folder: Path) -> None:
    """Make the names in `folder` durable, so that a rename survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _to_write_error(error: OSError, path: Path) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFull(f"{path.parent}: no space left to write ({error.strerror})")
    return StorageFull(f"{path}: cannot be written ({error.strerror})")


def _remove_empty_parents(folder: Path, root: Path) -> None:
    while folder != root and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
