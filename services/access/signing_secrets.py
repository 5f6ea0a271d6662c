"""Secrets that the servers of one archive sign with: made once, at random, and kept in the database that they share."""

from __future__ import annotations

import secrets

from sqlalchemy import select

from services.database.clock import Clock, now
from services.database.engine import SqlDatabase
from services.database.schema import SigningSecrets

_SECRET_BYTES = 32
"""Source: RFC 2104, section 3: a key as long as the digest of SHA-256; a longer one adds no strength."""


def load_or_create_secret(database: SqlDatabase, name: str, clock: Clock = now) -> bytes:
    """Return the secret of a name; of several processes that ask first, one makes it. Errors: those of SqlDatabase."""
    known = select(SigningSecrets.secret).where(SigningSecrets.name == name)
    with database.read() as connection:
        secret = connection.execute(known).scalar()
    if secret is None:
        new = {"name": name, "secret": secrets.token_bytes(_SECRET_BYTES), "created_at": clock()}
        with database.write() as connection:
            connection.execute(database.insert(SigningSecrets).values(**new).on_conflict_do_nothing())
        with database.read() as connection:
            secret = connection.execute(known).scalar_one()
    return bytes(secret)
