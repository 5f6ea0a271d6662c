"""Create the tables of collections, assets and sources; those made before there were migrations are kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables that are missing."""
    op.create_table(
        "collections",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("created_at", sa.Double, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "assets",
        sa.Column("asset_id", sa.String(64), primary_key=True),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("duration_s", sa.Double),
        sa.Column("pages", sa.Integer),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("file_time", sa.Double),
        sa.Column("segments", sa.Integer, nullable=False),
        sa.Column("looked_at", sa.Integer, nullable=False),
        sa.Column("warnings", sa.JSON, nullable=False),
        sa.Column("indexed_at", sa.Double, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "sources",
        sa.Column("collection", sa.String(200), sa.ForeignKey("collections.name"), primary_key=True),
        sa.Column("uri", sa.String, primary_key=True),
        sa.Column("asset_id", sa.String(64), sa.ForeignKey("assets.asset_id"), nullable=False),
        sa.Column("state", sa.String, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_sources_asset_id", "sources", ["asset_id"], if_not_exists=True)
