"""The database: connections, transactions, and what its errors mean (SQLAlchemy; SQLite or PostgreSQL)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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

from indexer.errors import AfterimageError, ArtifactError, InvalidInput, SettingsError, StorageFull
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
"""How long PostgreSQL may be silent (libpq's parameters: seconds, and milliseconds): a minute, then it is gone."""
_READ_OPTIONS: dict[str, dict[str, Any]] = {
    "sqlite": {"reads_only": True},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
_WRITE_FAILURE_CODES, _LIMIT_EXCEEDED_CLASS, _PERMISSION_DENIED_CODE, _LOCK_TIMEOUT_CODE = (
    ("53100", "58030"),
    "54",
    "42501",
    "55P03",
)
"""PostgreSQL's codes (its manual, appendix A): disk full or failing; more than fits, a class; missing rights …"""


class SqlDatabase:
    """One database, any thread may use it. Its tables are made, or brought up to date, when it is first used.

    Errors of a transaction: DatabaseUnavailable where PostgreSQL cannot be reached, or breaks off (then nothing was
    changed, unless that happened at the very end), StorageFull where it cannot be written, ArtifactError where it is
    damaged or made by a newer version, QueryError for a value that it cannot hold. Rows that contradict each other are
    SQLAlchemy's IntegrityError inside the transaction, and an ArtifactError once it is left.
    """

    def __init__(self, url: str) -> None:
        self._engine = _make_engine(url)
        self._read_engine = self._engine.execution_options(**_READ_OPTIONS[self.dialect])
        self._migrated, self._lock = False, Lock()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write: on any exception nothing has changed. On SQLite, one at a time."""
        with self.translate_errors():
            self._migrate()
            with self._engine.begin() as connection:
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads: it sees one state of everything, and waits for nobody."""
        with self.translate_errors():
            self._migrate()
            with self._read_engine.begin() as connection:
                yield connection

    def insert(self, table: type[Base]) -> PostgresInsert | SqliteInsert:
        """An INSERT that can say what happens where the row is there already (`on_conflict_do_…`)."""
        return postgres_insert(table) if self.dialect == "postgresql" else sqlite_insert(table)

    def open_session(self) -> Connection:
        """A connection outside of the pool and of transactions, for what belongs to a session; the caller closes it."""
        with self.translate_errors():
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()
        return connection

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """What SQLAlchemy raises inside is raised as ours."""
        try:
            yield
        except NoConnectionLeft as error:
            raise DatabaseUnavailable("the database is too busy: no connection became free in time") from error
        except UnicodeEncodeError as error:
            raise InvalidInput(f"{sanitize(error.object)!r} is no text that a database can hold") from error
        except DBAPIError as error:
            raise self._to_domain_error(error) from error

    def close(self) -> None:
        """Give the connections back; the next use opens new ones."""
        self._engine.dispose()

    def _migrate(self) -> None:
        if self._migrated:
            return
        with self._lock:
            if not self._migrated:
                with self._read_engine.connect() as connection:
                    found = current_revision(connection)
                if found != HEAD:
                    from services.database.migrations.running import migrate

                    migrate(self._engine)
                self._migrated = True

    def _to_domain_error(self, error: DBAPIError) -> AfterimageError:
        message = " ".join(str(error.orig).split())
        code = getattr(error.orig, "sqlstate", None) or ""
        if isinstance(error, DataError) or code.startswith(_LIMIT_EXCEEDED_CLASS):
            return InvalidInput(f"this is nothing that a database can hold: {message}")
        if code == _PERMISSION_DENIED_CODE or (
            isinstance(error, InterfaceError | OperationalError) and self.dialect == "postgresql"
        ):
            if code in _WRITE_FAILURE_CODES:
                return StorageFull(f"the catalog cannot be written: {message}")
            return DatabaseUnavailable(f"the database of {_URL_SETTING} cannot be used: {message}")
        if isinstance(error, OperationalError):
            return StorageFull(f"the catalog cannot be written or read: {message}")
        return ArtifactError(f"the catalog is damaged: {message}")


def is_lock_timeout(error: DatabaseUnavailable) -> bool:
    """Whether what failed is that a lock was waited for in vain."""
    return getattr(getattr(error.__cause__, "orig", None), "sqlstate", None) == _LOCK_TIMEOUT_CODE


def _make_engine(url: str) -> Engine:
    """Errors: SettingsError, which never repeats the password."""
    address = _parse_url(url)
    try:
        if address.get_backend_name() == "sqlite":
            engine = create_engine(address)
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_immediate)
            return engine
        return create_engine(address, pool_pre_ping=True, connect_args=_POSTGRES_TIMEOUTS | dict(address.query))
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        needed = "pip install 'afterimage[cluster]' brings what PostgreSQL needs"
        raise SettingsError(f"{_URL_SETTING}: {needed} ({error})") from error


def _parse_url(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:  # the latter for a port that is no number
        raise SettingsError(f"{_URL_SETTING}: is no address such as postgresql://user:password@host/name") from error
    match address.drivername:
        case "sqlite" | "postgresql+psycopg":
            return address
        case "postgresql" | "postgres":
            return address.set(drivername="postgresql+psycopg")
    raise SettingsError(f"{_URL_SETTING}: {address.drivername} is neither sqlite nor postgresql")


def _configure_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 (a DB-API connection has no common type)
    connection.isolation_level = None  # transactions begin where `_begin_now` says, not at the first change
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    """A writer takes its turn at once: one that read first could not write any more after another one's change."""
    reads = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql(f"PRAGMA query_only={reads:d}")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
