"""Rename tables and columns to standard terms; no row changes.

`repeats` holds idempotency keys, `claims` of a job is a fencing token, `looked_at` of an asset counts sampled frames.
SQLite (3.25 and newer) and PostgreSQL rename in place. Servers of before and after this step cannot share a database.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

_COLUMNS = {
    "assets": {"looked_at": "sampled_frames"},
    "jobs": {"claims": "fencing_token", "most_attempts": "max_attempts"},
    "idempotency_keys": {
        "who": "owner",
        "name": "key",
        "request": "request_hash",
        "at": "claimed_at",
        "made": "resource_id",
    },
}


def upgrade() -> None:
    """Rename the table, then the columns, then the index and the primary key named after the table."""
    op.rename_table("repeats", "idempotency_keys")
    for table, names in _COLUMNS.items():
        for old, new in names.items():
            op.alter_column(table, old, new_column_name=new)
    op.drop_index("ix_repeats_at", "idempotency_keys")
    op.create_index("ix_idempotency_keys_claimed_at", "idempotency_keys", ["claimed_at"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX repeats_pkey RENAME TO idempotency_keys_pkey")
