"""Record which workers are alive, and the trace that a job belongs to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the table and the column; workers that run already are recorded within seconds."""
    op.create_table(
        "workers",
        sa.Column("worker", sa.String(300), primary_key=True),
        sa.Column("queues", sa.JSON, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
    )
    op.add_column("jobs", sa.Column("traceparent", sa.String(64)))
