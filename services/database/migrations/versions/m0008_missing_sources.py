"""Record since when the file of a source is missing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column; no source is known to be missing."""
    op.add_column("sources", sa.Column("missing_since", sa.Double))
