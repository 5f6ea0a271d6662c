"""Alembic runs this file: the steps go over the connection, and into the transaction, that the caller is in."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
