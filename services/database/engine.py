"""SQL database access: connections, transactions and error translation (SQLAlchemy; SQLite or PostgreSQL)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from indexer.errors import (
    AfterimageError,
    ArtifactError,
    InvalidInput,
    ReadOnlyArchive,
    SettingsError,
    StorageFull,
)
from indexer.storage.read_only import is_read_only, read_only_uri
from services.database.errors import DatabaseUnavailable
from services.database.migrations import HEAD, current_revision
from services.database.schema import Base
from services.database.text import sanitize

_URL_SETTING = "AFTERIMAGE_CATALOG__URL"
_POSTGRES_TIMEOUTS: dict[str, Any] = {
    "connect_timeout": 10,
    "tcp_user_timeout": 60_000,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
"""Parameters of libpq (seconds; tcp_user_timeout in milliseconds). Chosen: a silent server is given up after a minute,
which outlasts a failover and costs a worker little more than one lease."""
_READ_OPTIONS: dict[str, dict[str, Any]] = {
    "sqlite": {"reads_only": True},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
_WRITE_FAILURE_CODES = ("53100", "58030")
"""disk_full and io_error (this and the next three: PostgreSQL manual, appendix A)."""
_LIMIT_EXCEEDED_CLASS = "54"
"""program_limit_exceeded, a class of codes."""
_PERMISSION_DENIED_CODE = "42501"
"""insufficient_privilege."""
_LOCK_TIMEOUT_CODE = "55P03"
"""lock_not_available."""


class SqlDatabase:
    """Thread-safe SQL database; the first use creates its tables or migrates them.

    `is_read_only`: a SQLite file on storage that cannot be written to; it is opened without locks and never migrated.

    Errors of a transaction: DatabaseUnavailable if PostgreSQL cannot be reached or closes the connection (nothing has
    changed then, except possibly during the commit itself), StorageFull if it cannot be written, ArtifactError if it is
    damaged or of a newer version, InvalidInput for a value that it cannot store. A violated constraint is SQLAlchemy's
    IntegrityError inside the transaction and an ArtifactError outside of it.
    """

    def __init__(self, url: str) -> None:
        self._engine = _make_engine(url)
        self._read_engine = self._engine.execution_options(**_READ_OPTIONS[self.dialect])
        self._migrated, self._lock = False, Lock()
        self.is_read_only = _read_only_file(self._engine.url) is not None

    @property
    def dialect(self) -> str:
        """Name of the SQL dialect: `sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a read-write transaction, rolled back on any exception; SQLite runs one at a time.

        Errors: also ReadOnlyArchive.
        """
        self.require_writable()
        with self.translate_errors():
            self._migrate()
            with self._engine.begin() as connection:
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read-only transaction on one snapshot; it never waits for writers."""
        with self.translate_errors():
            self._migrate()
            with self._read_engine.begin() as connection:
                yield connection

    def require_writable(self) -> None:
        """Raise ReadOnlyArchive if nothing can be written."""
        if self.is_read_only:
            raise ReadOnlyArchive

    def insert(self, table: type[Base]) -> PostgresInsert | SqliteInsert:
        """Return an INSERT with upsert support (`on_conflict_do_update`, `on_conflict_do_nothing`) for this dialect."""
        return postgres_insert(table) if self.dialect == "postgresql" else sqlite_insert(table)

    def open_session(self) -> Connection:
        """Open an autocommit connection outside of the pool, for session-level locks; the caller closes it."""
        with self.translate_errors():
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()
        return connection

    def recreate(self, revision: str, fill: Callable[[Connection], None]) -> None:
        """Drop all tables, and create and fill those of a revision in one transaction; see `migrations.running`."""
        from services.database.migrations.running import recreate

        with self.translate_errors():
            recreate(self._engine, revision, fill)

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Raise errors of SQLAlchemy inside the context as errors of this project."""
        try:
            yield
        except NoConnectionLeft as error:
            raise DatabaseUnavailable("the database is too busy: no connection became free in time") from error
        except UnicodeEncodeError as error:
            raise InvalidInput(f"{sanitize(error.object)!r} cannot be stored as text") from error
        except DBAPIError as error:
            raise self._to_domain_error(error) from error

    def close(self) -> None:
        """Close all pooled connections; the next use opens new ones."""
        self._engine.dispose()

    def _migrate(self) -> None:
        if self._migrated:
            return
        with self._lock:
            if not self._migrated:
                with self._read_engine.connect() as connection:
                    revision = current_revision(connection)
                if revision != HEAD and self.is_read_only:
                    raise ArtifactError(
                        f"the catalog has layout {revision}, this is layout {HEAD}, and its storage is read-only: "
                        "run this version once where it can be written"
                    )
                if revision != HEAD:
                    from services.database.migrations.running import migrate

                    migrate(self._engine)
                self._migrated = True

    def _to_domain_error(self, error: DBAPIError) -> AfterimageError:
        message = " ".join(str(error.orig).split())
        code = getattr(error.orig, "sqlstate", None) or ""
        if isinstance(error, DataError) or code.startswith(_LIMIT_EXCEEDED_CLASS):
            return InvalidInput(f"the database cannot store this value: {message}")
        if code == _PERMISSION_DENIED_CODE or (
            isinstance(error, InterfaceError | OperationalError) and self.dialect == "postgresql"
        ):
            if code in _WRITE_FAILURE_CODES:
                return StorageFull(f"the catalog cannot be written: {message}")
            return DatabaseUnavailable(f"the database of {_URL_SETTING} cannot be used: {message}")
        if self.is_read_only:
            return ArtifactError(f"the catalog cannot be read from read-only storage: {message}")
        if isinstance(error, OperationalError):
            return StorageFull(f"the catalog cannot be written or read: {message}")
        return ArtifactError(f"the catalog is damaged: {message}")


def is_lock_timeout(error: DatabaseUnavailable) -> bool:
    """Return whether an error of PostgreSQL is a lock timeout."""
    return getattr(getattr(error.__cause__, "orig", None), "sqlstate", None) == _LOCK_TIMEOUT_CODE


def _make_engine(url: str) -> Engine:
    """Create the engine of a URL. Errors: SettingsError, which never repeats the password."""
    address = _parse_url(url)
    try:
        if (file := _read_only_file(address)) is not None:
            engine = create_engine(address, creator=lambda: _connect_read_only(file))
            event.listen(engine, "begin", _begin_immediate)
            return engine
        if address.get_backend_name() == "sqlite":
            engine = create_engine(address)
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_immediate)
            return engine
        return create_engine(address, pool_pre_ping=True, connect_args=_POSTGRES_TIMEOUTS | dict(address.query))
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        advice = "PostgreSQL needs further packages: pip install 'afterimage[cluster]'"
        raise SettingsError(f"{_URL_SETTING}: {advice} ({error})") from error


def _parse_url(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:  # ValueError: the port is not a number
        raise SettingsError(f"{_URL_SETTING}: is no address such as postgresql://user:password@host/name") from error
    match address.drivername:
        case "sqlite" | "postgresql+psycopg":
            return address
        case "postgresql" | "postgres":
            return address.set(drivername="postgresql+psycopg")
    raise SettingsError(f"{_URL_SETTING}: {address.drivername} is neither sqlite nor postgresql")


def _read_only_file(address: URL) -> Path | None:
    """Return the file of a SQLite database on storage that cannot be written to; None for every other."""
    if address.get_backend_name() != "sqlite" or not address.database:
        return None
    file = Path(address.database)
    return file if is_read_only(file.parent) else None


def _connect_read_only(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(read_only_uri(file), uri=True, isolation_level=None, check_same_thread=False)


def _configure_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 (a DB-API connection has no common type)
    connection.isolation_level = None  # `_begin_immediate` begins transactions, not the first change
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    """Begin a transaction, with the write lock unless it is read-only (decision 0058).

    A transaction that reads first could not write after another one has written.
    """
    reads = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql(f"PRAGMA query_only={reads:d}")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
