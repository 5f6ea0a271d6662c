"""Migration of a database to the newest revision, safe when several processes start at once."""

from __future__ import annotations

from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

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
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK_KEY})
        config, revision = _config(connection), current_revision(connection)
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if revision is not None and revision not in known:
            known_revisions = f"revision {revision}; this version knows {HEAD}"
            raise ArtifactError(f"a newer version of Afterimage made the catalog ({known_revisions})")
        command.upgrade(config, "head")


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "services.database:migrations")
    config.set_main_option("path_separator", "os")
    return config
