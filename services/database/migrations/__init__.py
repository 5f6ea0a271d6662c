"""How the tables came to be, step by step (Alembic), and how a database is brought up to date: by code, at first use.

A step is a file in `versions/`, named and numbered in order. Steps add and widen; nothing that was stored is dropped.
To write one: add the file, change `services/database/schema.py`, move `HEAD` on; tests compare the three.
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

HEAD = "0007"
"""The newest step."""


def current_revision(connection: Connection) -> str | None:
    """The newest step that a database has had; None before the first."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found
