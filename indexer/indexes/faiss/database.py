"""SQLite file of an index: connection pool, transactions, and translation of errors."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from types import MappingProxyType

from indexer.errors import AfterimageError, ArtifactError, ReadOnlyArchive, StorageFull, WriteLockTimeout
from indexer.storage.read_only import is_read_only, read_only_uri

_NO_UPGRADES: Mapping[int, str] = MappingProxyType({})
_BUSY_TIMEOUT_S = 30.0
"""Chosen: wait for another process's transaction; a longer one outlasts larger assets, a shorter one tells sooner."""

_PROMOTE_TIMEOUT_S = 2.0
"""Chosen: wait for a file that is missing while its folder is replaced; a longer one delays the error."""

_PAGE_BYTES = 16384
"""Chosen: ten vectors of 384 dimensions fill a page; at SQLite's default of 4096 a third would be wasted."""

_CORRUPTION_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_WRITE_FAILURE_CODES = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}
_BUSY_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}

_FileId = tuple[int, int]


class SqliteDatabase:
    """SQLite file in WAL mode with a pool of connections, created with `schema` where it is missing. Thread-safe.

    On read-only storage it is only read. When another file takes its place (a promoted shadow index), the next
    transaction opens that one. Errors: ArtifactError where the file is damaged or of another version, StorageFull where
    a change cannot be written, WriteLockTimeout where another process holds the write lock too long.
    """

    def __init__(self, path: Path, schema: str, version: int, upgrades: Mapping[int, str] = _NO_UPGRADES) -> None:
        self.path = path
        self._idle: list[tuple[_FileId, sqlite3.Connection]] = []
        self._lock = Lock()
        with self._translate_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._create(schema, version, upgrades)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Open a read snapshot: all statements inside see the same state."""
        with self._translate_errors(), self._connection() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Open a write transaction: durable once it is left, rolled back on any exception. Errors: ReadOnlyArchive."""
        if is_read_only(self.path.parent):
            raise ReadOnlyArchive
        with self._translate_errors(), self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.commit()
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.rollback()
                raise

    def close(self) -> None:
        """Close idle connections; the next use opens the file again."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _create(self, schema: str, version: int, upgrades: Mapping[int, str]) -> None:
        connection = _connect(self.path, "rwc")
        try:
            (stored_version,) = connection.execute("PRAGMA user_version").fetchone()
            if not stored_version and not is_read_only(self.path.parent):
                connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(f"BEGIN IMMEDIATE; {schema}; PRAGMA user_version = {version}; COMMIT")
            elif stored_version in upgrades and not is_read_only(self.path.parent):
                connection.executescript(
                    f"BEGIN IMMEDIATE; {upgrades[stored_version]}; PRAGMA user_version = {stored_version + 1}; COMMIT"
                )
            elif stored_version != version:
                raise ArtifactError(
                    f"{self.path}: layout {stored_version}, this is layout {version}; afterimage reindex rebuilds it"
                )
        finally:
            connection.close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        file = self._file_id()
        with self._lock:
            stale = [connection for file_id, connection in self._idle if file_id != file]
            self._idle = [entry for entry in self._idle if entry[0] == file]
            entry = self._idle.pop() if self._idle else None
        for connection in stale:
            connection.close()
        file, connection = entry or self._open(file)
        try:
            yield connection
        finally:
            with self._lock:
                self._idle.append((file, connection))

    def _open(self, file: _FileId) -> tuple[_FileId, sqlite3.Connection]:
        while True:
            connection = _connect(self.path, "rw")
            opened = self._file_id()
            if opened == file:
                return file, connection
            connection.close()
            file = opened

    def _file_id(self) -> _FileId:
        """Return device and inode of the file at the path; wait briefly where it is missing."""
        deadline = time.monotonic() + _PROMOTE_TIMEOUT_S
        while True:
            try:
                status = os.stat(self.path)  # noqa: PTH116 (a tenth of a search's overhead; Path.stat costs double)
            except FileNotFoundError as error:
                if time.monotonic() > deadline:
                    raise ArtifactError(f"{self.path} is missing; afterimage reindex rebuilds it") from error
                time.sleep(0.005)
            else:
                return status.st_dev, status.st_ino

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._to_error(error) from error

    def _to_error(self, error: sqlite3.Error) -> AfterimageError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _WRITE_FAILURE_CODES:
            hint = "; is the disk full?" if code == sqlite3.SQLITE_IOERR else ""
            return StorageFull(f"{self.path} cannot be written ({error}){hint}")
        if code in _BUSY_CODES:
            return WriteLockTimeout(f"{self.path} is being written by another process")
        if code in _CORRUPTION_CODES:
            return ArtifactError(f"{self.path} is damaged ({error}); afterimage reindex rebuilds it")
        return ArtifactError(f"{self.path}: {error}")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = read_only_uri(path) if is_read_only(path.parent) else f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, uri=True)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    return connection
