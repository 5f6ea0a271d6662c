"""Dump of a database as JSON lines, and its restoration into an empty one, of SQLite or PostgreSQL alike (SQLAlchemy).

A dump is a folder with one file per table, `<table>.jsonl`, a row a line: an object of columns; bytes are Base64. It
is read in one transaction, so it is consistent while others write.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import JSON, Connection, LargeBinary, MetaData, Table, func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError

from indexer.errors import ArtifactError, InvalidInput
from services.database.engine import SqlDatabase
from services.database.schema import Base

_ROWS_AT_A_TIME = 1000  # Form: rows inserted by one statement
_LEFT_OUT = frozenset(["alembic_version", "signing_secrets", "workers"])
"""Tables that are no part of an archive: each database makes its own, and they may hold a secret."""


def dump_tables(connection: Connection, folder: Path) -> dict[str, int]:
    """Write the tables of a transaction's snapshot into a folder that exists; return the rows of each.

    Errors: OSError of the folder; those of the transaction.
    """
    return {table.name: _dump_table(connection, table, folder) for table in _list_tables(Base.metadata)}


def load_tables(database: SqlDatabase, revision: str, folder: Path) -> None:
    """Fill an empty database from a dump of any earlier revision, and migrate it, in one transaction.

    Errors: InvalidInput where the database is not empty; ArtifactError where the dump is damaged or of a newer version.
    """
    raise_unless_empty(database)
    try:
        database.recreate(revision, lambda connection: _insert_all(connection, folder))
    except SQLAlchemyError as error:
        raise ArtifactError(f"{folder}: does not fit its own tables ({error})") from error


def raise_unless_empty(database: SqlDatabase) -> None:
    """Raise InvalidInput, which names the table, where a database has rows."""
    with database.read() as connection:
        for table in _list_tables(Base.metadata):
            if connection.execute(select(table).limit(1)).first() is not None:
                raise InvalidInput(f"the archive is not empty (it has {table.name.replace('_', ' ')})")


def _list_tables(metadata: MetaData) -> list[Table]:
    """Return the tables of a dump, each after those that it refers to."""
    return [table for table in metadata.sorted_tables if table.name not in _LEFT_OUT]


def _dump_table(connection: Connection, table: Table, folder: Path) -> int:
    number = 0
    with (folder / f"{table.name}.jsonl").open("wb") as file:
        for row in connection.execution_options(yield_per=_ROWS_AT_A_TIME).execute(select(table)):
            file.write(msgspec.json.encode(dict(row._mapping)) + b"\n")  # msgspec writes bytes as Base64
            number += 1
    return number


def _insert_all(connection: Connection, folder: Path) -> None:
    stored = MetaData()
    stored.reflect(connection)
    for table in _list_tables(stored):
        rows = _read_rows(folder / f"{table.name}.jsonl", table)
        while batch := list(islice(rows, _ROWS_AT_A_TIME)):
            connection.execute(insert(table), batch)
        _continue_numbering(connection, table)


def _read_rows(path: Path, table: Table) -> Iterator[dict[str, Any]]:
    names = {column.name for column in table.columns}
    binary = [column.name for column in table.columns if isinstance(column.type, LargeBinary)]
    for column in table.columns:
        if isinstance(column.type, JSON):
            column.type.none_as_null = True
    try:
        with path.open("rb") as file:
            for line in file:
                row = msgspec.json.decode(line, type=dict[str, Any])
                if row.keys() != names:
                    raise ValueError(f"a row has other columns than {', '.join(sorted(names))}")
                yield row | {name: base64.b64decode(row[name]) for name in binary if row[name] is not None}
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise ArtifactError(f"{path}: damaged or missing ({error})") from error


def _continue_numbering(connection: Connection, table: Table) -> None:
    """Have PostgreSQL number new rows after those that were inserted; SQLite does it by itself."""
    if connection.dialect.name != "postgresql":
        return
    for column in table.primary_key.columns:
        sequence = connection.execute(
            text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
        ).scalar()
        if sequence is not None and (last := connection.execute(select(func.max(column))).scalar()) is not None:
            connection.execute(text("SELECT setval(:sequence, :last)"), {"sequence": sequence, "last": last})
