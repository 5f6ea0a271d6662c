"""Schema migrations (Alembic), run by code when a database is first used.

A migration is a file in `versions/`, numbered in order. Migrations add, widen and rename; no stored row is dropped.
To write one: add the file, change `services/database/schema.py` and set `HEAD`; tests compare the three.
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

HEAD = "0010"
"""Revision of the newest migration."""


def current_revision(connection: Connection) -> str | None:
    """Return the revision of a database; None before the first migration."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision
