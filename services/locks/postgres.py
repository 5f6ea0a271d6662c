"""Writers on many machines: advisory locks of PostgreSQL (its manual, 13.3.5), each with a connection of its own."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import text

from indexer.errors import DatabaseUnavailable, IndexBusy
from services.database import Database, is_lock_timeout
from services.ports import Held

_LONGEST_MS = 2**31 - 1
_KEPT_ALIVE = ("tcp_keepalives_idle = 30", "tcp_keepalives_interval = 10", "tcp_keepalives_count = 3")
"""A minute after a machine has gone, what it held is free; two hours by default."""


class PostgresLocks:
    """Different assets are changed side by side; who changes everything is alone.

    Held are: the archive, shared, and the asset, alone; or the archive alone. Who waits for that holds back those who
    come later. A lock ends with its connection, so a pooler in between must give every client a session of its own.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def writing(self, asset_id: str | None, patience_s: float = 0.0) -> Iterator[Held]:
        """See `Locks`."""
        held = _Held(self._database)
        try:
            held.take(asset_id, time.monotonic() + patience_s)
            yield held
            held.check()
        finally:
            held.give_back()


class _Held:
    """A session and its locks. `check` asks for the process that serves it: another one would not hold them."""

    def __init__(self, database: Database) -> None:
        self._database, self._session, self._lost = database, database.session(), False
        self._driver = self._session.connection.dbapi_connection
        self._process = self._server_process()

    def take(self, asset_id: str | None, deadline: float) -> None:
        """Errors: IndexBusy after the deadline (monotonic)."""
        with self._database.translated():
            for setting in _KEPT_ALIVE:
                self._session.execute(text(f"SET {setting}"))
        if asset_id is None:
            self._take("pg_advisory_lock", "the archive", deadline)
            return
        self._take("pg_advisory_lock_shared", "the archive", deadline)
        self._take("pg_advisory_lock", f"asset {asset_id}", deadline)

    def check(self) -> None:
        """Errors: DatabaseUnavailable where the connection was lost: another one may be writing by now."""
        try:
            self._lost = self._lost or self._server_process() != self._process
        except DatabaseUnavailable as error:
            self._lost = True
            raise DatabaseUnavailable(f"the right to write was lost on the way: {error}") from error
        if self._lost:
            raise DatabaseUnavailable("the right to write was lost on the way")

    def give_back(self) -> None:
        """Unlock, and end the session, in whatever state it is; a server that is not there holds nothing."""
        if not self._lost:
            with suppress(DatabaseUnavailable), self._database.translated():
                self._session.execute(text("SELECT pg_advisory_unlock_all()"))
        self._session.close()
        if self._driver is not None:  # SQLAlchemy lets go of a connection that broke, and leaves it open
            self._driver.close()

    def _take(self, function: str, what: str, deadline: float) -> None:
        wait_ms = min(max(1, round((deadline - time.monotonic()) * 1000)), _LONGEST_MS)
        with self._database.translated():
            self._session.execute(text(f"SET lock_timeout = {wait_ms}"))
        try:
            with self._database.translated():
                self._session.execute(text(f"SELECT {function}(:key)"), {"key": _key(what)})
        except DatabaseUnavailable as error:
            if is_lock_timeout(error):
                raise IndexBusy(f"another worker is changing {what}; try again when it is done") from error
            raise

    def _server_process(self) -> int:
        with self._database.translated():
            return int(self._session.execute(text("SELECT pg_backend_pid()")).scalar_one())


def _key(what: str) -> int:
    """The number of a lock, signed, 64 bits."""
    return int.from_bytes(hashlib.sha256(f"afterimage {what}".encode()).digest()[:8], "big", signed=True)
