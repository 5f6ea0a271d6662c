"""Migration of a database to the newest revision, safe when several processes start at once."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, text

from indexer.errors import ArtifactError
from services.database.migrations import HEAD, current_revision

_ALEMBIC_LOCK = Lock()
"""Alembic keeps the running migration in module globals."""
_ADVISORY_LOCK_KEY = 0x4166_7465_7249_6D67
"""Held on PostgreSQL during migrations; SQLite has one writer anyway. Form: any number; these bytes spell AfterImg."""


def migrate(engine: Engine) -> None:
    """Run the missing migrations in one transaction. Tables made before there were migrations are kept.

    Errors: ArtifactError if a newer version of Afterimage made the database; those of SQLAlchemy.
    """
    with _ALEMBIC_LOCK, engine.begin() as connection:
        _lock(connection)
        _raise_if_newer(current_revision(connection))
        command.upgrade(_config(connection), "head")


def recreate(engine: Engine, revision: str, fill: Callable[[Connection], None]) -> None:
    """Drop all tables, create those of a revision, have them filled, and run the later migrations; all or nothing.

    Errors: ArtifactError if a newer version of Afterimage knows the revision; those of `fill` and of SQLAlchemy.
    """
    _raise_if_newer(revision)
    with _ALEMBIC_LOCK, engine.begin() as connection:
        _lock(connection)
        present = MetaData()
        present.reflect(connection)
        present.drop_all(connection)
        command.upgrade(_config(connection), revision)
        fill(connection)
        command.upgrade(_config(connection), "head")


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK_KEY})


def _raise_if_newer(revision: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        known_revisions = f"revision {revision}; this version knows {HEAD}"
        raise ArtifactError(f"a newer version of Afterimage made the catalog ({known_revisions})")


def _config(connection: Connection | None = None) -> Config:
    config = Config(attributes={} if connection is None else {"connection": connection})
    config.set_main_option("script_location", "services.database:migrations")
    config.set_main_option("path_separator", "os")
    return config
