"""Move file names and times from assets to sources: another collection may hold the same bytes under another name."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from alembic import op

from services.database.text import sanitize

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Copy name and time of each asset to its sources.

    A source whose asset another collection holds too keeps that name only if its URI ends in it; otherwise it gets the
    last part of its URI.
    """
    op.add_column("sources", sa.Column("name", sa.String, nullable=False, server_default=""))
    op.add_column("sources", sa.Column("file_time", sa.Double))
    for column in ("name", "file_time"):
        of_the_asset = f"SELECT assets.{column} FROM assets WHERE assets.asset_id = sources.asset_id"
        op.execute(f"UPDATE sources SET {column} = ({of_the_asset})")
    sources = sa.table("sources", *map(sa.column, ("collection", "uri", "asset_id", "name")))
    shared = sa.select(sources.c.asset_id).group_by(sources.c.asset_id)
    shared = shared.having(sa.func.count(sa.distinct(sources.c.collection)) > 1)
    connection = op.get_bind()
    for row in connection.execute(sa.select(sources).where(sources.c.asset_id.in_(shared))).all():
        place = urlsplit(row.uri)
        end = _end(unquote(place.path)) or place.hostname or ""
        if _as_key(end) != _as_key(_end(row.name)):
            here = sources.update().where(sources.c.collection == row.collection, sources.c.uri == row.uri)
            connection.execute(here.values(name=sanitize(end)))


def _end(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _as_key(name: str) -> str:
    """Return a file name as it appears in the blob store's key of an upload."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[-100:].lstrip(".")
