"""Add the created resource and all response headers to stored responses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns and move the media type of stored responses into their headers."""
    op.add_column("repeats", sa.Column("made", sa.String(64)))
    op.add_column("repeats", sa.Column("headers", sa.JSON(none_as_null=True)))
    repeats = sa.table("repeats", *map(sa.column, ("who", "name", "media_type")), sa.column("headers", sa.JSON))
    connection = op.get_bind()
    for row in connection.execute(sa.select(repeats).where(repeats.c.media_type.is_not(None))).all():
        here = repeats.update().where(repeats.c.who == row.who, repeats.c.name == row.name)
        connection.execute(here.values(headers={"content-type": row.media_type}))
    op.drop_column("repeats", "media_type")
