"""Write locks among machines: PostgreSQL advisory locks (manual, section 13.3.5), one connection for each holder."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import text

from indexer.errors import WriteLockTimeout
from services.database.engine import SqlDatabase, is_lock_timeout
from services.database.errors import DatabaseUnavailable
from services.ingest.ports import WriteLock

_MAX_TIMEOUT_MS = 2**31 - 1  # Source: the largest value of PostgreSQL's lock_timeout
_KEEPALIVE_SETTINGS = ("tcp_keepalives_idle = 30", "tcp_keepalives_interval = 10", "tcp_keepalives_count = 3")
"""Chosen: a vanished machine's locks are free after a minute (30 + 3 × 10 s), instead of two hours by default."""


class PostgresLocks:
    """Lets writers of different assets run side by side, and a writer of the whole archive run alone.

    A writer of an asset holds the archive's lock shared and the asset's exclusively; a writer of the archive holds the
    archive's exclusively, and while it waits, later writers wait behind it. A lock ends with its connection, so a
    pooler in between must give every client a session of its own.
    """

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    @contextmanager
    def write_lock(self, asset_id: str | None, timeout_s: float = 0.0) -> Iterator[WriteLock]:
        """Acquire the locks for an asset, or for the archive (None); see `services.ingest.ports.Locks`."""
        lock = _PostgresWriteLock(self._database)
        try:
            lock.acquire(asset_id, time.monotonic() + timeout_s)
            yield lock
            lock.raise_if_lost()
        finally:
            lock.release()


class _PostgresWriteLock:
    """A database session that holds locks; it is lost when another backend process serves the session."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database, self._session, self._is_lost = database, database.open_session(), False
        self._dbapi_connection = self._session.connection.dbapi_connection
        self._backend_pid = self._query_backend_pid()

    def acquire(self, asset_id: str | None, deadline: float) -> None:
        """Acquire the locks. Errors: WriteLockTimeout after the deadline (monotonic seconds)."""
        with self._database.translate_errors():
            for setting in _KEEPALIVE_SETTINGS:
                self._session.execute(text(f"SET {setting}"))
        if asset_id is None:
            self._acquire("pg_advisory_lock", "the archive", deadline)
            return
        self._acquire("pg_advisory_lock_shared", "the archive", deadline)
        self._acquire("pg_advisory_lock", f"asset {asset_id}", deadline)

    def raise_if_lost(self) -> None:
        """Raise DatabaseUnavailable where the connection was lost: another writer may hold the locks by now."""
        try:
            self._is_lost = self._is_lost or self._query_backend_pid() != self._backend_pid
        except DatabaseUnavailable as error:
            self._is_lost = True
            raise DatabaseUnavailable(f"the write lock was lost with its connection: {error}") from error
        if self._is_lost:
            raise DatabaseUnavailable("the write lock was lost with its connection")

    def release(self) -> None:
        """Unlock and end the session, whatever its state; a server that cannot be reached holds no lock of it."""
        if not self._is_lost:
            with suppress(DatabaseUnavailable), self._database.translate_errors():
                self._session.execute(text("SELECT pg_advisory_unlock_all()"))
        self._session.close()
        if self._dbapi_connection is not None:  # SQLAlchemy drops a broken connection without closing it
            self._dbapi_connection.close()

    def _acquire(self, function: str, target: str, deadline: float) -> None:
        wait_ms = min(max(1, round((deadline - time.monotonic()) * 1000)), _MAX_TIMEOUT_MS)
        with self._database.translate_errors():
            self._session.execute(text(f"SET lock_timeout = {wait_ms}"))
        try:
            with self._database.translate_errors():
                self._session.execute(text(f"SELECT {function}(:key)"), {"key": _advisory_key(target)})
        except DatabaseUnavailable as error:
            if is_lock_timeout(error):
                raise WriteLockTimeout(f"another worker is changing {target}; try again when it is done") from error
            raise

    def _query_backend_pid(self) -> int:
        with self._database.translate_errors():
            return int(self._session.execute(text("SELECT pg_backend_pid()")).scalar_one())


def _advisory_key(target: str) -> int:
    """Return the key of an advisory lock: a signed 64-bit number."""
    return int.from_bytes(hashlib.sha256(f"afterimage {target}".encode()).digest()[:8], "big", signed=True)
