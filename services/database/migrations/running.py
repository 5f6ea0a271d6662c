"""Bring a database up to date, once, however many processes start at the same time."""

from __future__ import annotations

from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from indexer.errors import ArtifactError
from services.database.migrations import HEAD, current_revision

_ALEMBIC_LOCK = Lock()
"""Alembic keeps the migration that runs in module globals."""

_ADVISORY_LOCK_KEY = 0x4166_7465_7249_6D67
"""Held on PostgreSQL while steps run; SQLite has one writer anyway."""


def migrate(engine: Engine) -> None:
    """Run the steps that the database lacks, in one transaction. Tables made before there were steps are kept.

    Errors: ArtifactError where a newer Afterimage made the database; what SQLAlchemy raises.
    """
    with _ALEMBIC_LOCK, engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK_KEY})
        config, found = _config(connection), current_revision(connection)
        known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
        if found is not None and found not in known:
            raise ArtifactError(f"a newer version of Afterimage made the catalog (step {found}; this one knows {HEAD})")
        command.upgrade(config, "head")


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "services.database:migrations")
    config.set_main_option("path_separator", "os")
    return config
