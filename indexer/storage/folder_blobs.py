"""Blob store in a local folder."""

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

from indexer.errors import ArtifactError, ReadOnlyArchive, StorageFull
from indexer.storage.blob_keys import validate_key
from indexer.storage.read_only import is_read_only

_TRASH_PREFIX = ".deleting-"
_STALE_TRASH_S = 3600.0
"""Chosen: longer than a deletion takes, so that one in progress is left alone; leftovers of a kill stay that long."""

_TEMPORARY_SUFFIX = ".writing"
_CHUNK_BYTES = 1 << 20  # Form: bytes read at a time


class FolderBlobs:
    """`BlobStore` of files below `root`; the parts of a key are folders.

    A write goes to a temporary name, is fsynced and renamed, and the folder is fsynced: after a crash a key has its
    old bytes or its new ones.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes) -> None:
        """Write a blob atomically and durably. Errors: StorageFull."""
        self._write(key, lambda file: file.write(data))

    def put_file(self, key: str, path: Path) -> None:
        """Copy a local file to a blob atomically and durably. Errors: StorageFull."""
        with path.open("rb") as source:
            self._write(key, lambda file: shutil.copyfileobj(source, file, _CHUNK_BYTES))

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Read `length` bytes from `offset` on, all that follow if None. Errors: ArtifactError."""
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
        """Yield the bytes `[start, end)` in chunks, to the last byte if `end` is None. Errors: ArtifactError."""
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
        """Yield the path of the blob's own file, which must not be changed. Errors: ArtifactError."""
        self.size(key)
        yield self._path(key)

    def size(self, key: str) -> int:
        """Return the size in bytes. Errors: ArtifactError."""
        path = self._path(key)
        try:
            status = path.stat()
        except OSError as error:
            raise _to_read_error(path, error) from error
        if not stat.S_ISREG(status.st_mode):
            raise ArtifactError(f"{path}: is no blob")
        return status.st_size

    def list_keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix, sorted."""
        top = self._path(prefix)
        files = sorted(path for path in top.rglob("*") if path.is_file() and path.suffix != _TEMPORARY_SUFFIX)
        return (path.relative_to(self._root).as_posix() for path in files)

    def delete_prefix(self, prefix: str) -> int:
        """Delete all blobs below a prefix and return their number.

        The prefix is renamed first, in one step, before the bytes are freed; leftovers of a killed deletion are removed
        by one that comes an hour later or more.
        """
        top = self._path(prefix)
        count = sum(1 for _ in self.list_keys(prefix))
        for leftover in self._root.glob(f"{_TRASH_PREFIX}*"):
            if leftover.stat().st_mtime < time.time() - _STALE_TRASH_S:
                shutil.rmtree(leftover, ignore_errors=True)
        if top.is_dir():
            trash = Path(tempfile.mkdtemp(prefix=_TRASH_PREFIX, dir=self._root))
            top.rename(trash / "x")
            shutil.rmtree(trash)
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
            raise ReadOnlyArchive if is_read_only(self._root) else _to_write_error(error, path) from error


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


def make_folder(folder: Path) -> Path:
    """Make a folder and those above it where they are missing, and return it. Errors: StorageFull."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFull(f"{folder}: cannot be made ({error.strerror})") from error
    return folder


def fsync_folder(folder: Path) -> None:
    """Make the entries of a folder durable (fsync), so that a rename survives a power cut."""
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
