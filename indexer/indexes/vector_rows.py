"""Embeddings as rows of SQLite: a table per lane, the state of each lane, and validation of vectors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.errors import IndexMismatch, InvalidInput
from indexer.types import Lane, SegmentBatch, Vectors

VECTOR_LANES = (Lane.VISUAL, Lane.TEXT)

SCHEMA = """
CREATE TABLE IF NOT EXISTS lanes(
  lane TEXT PRIMARY KEY, dim INTEGER NOT NULL, model TEXT NOT NULL, vectors INTEGER NOT NULL DEFAULT 0,
  main TEXT NOT NULL DEFAULT '', main_bytes INTEGER NOT NULL DEFAULT 0, main_generation INTEGER NOT NULL DEFAULT 0,
  main_last_id INTEGER NOT NULL DEFAULT 0, tail INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS vectors_visual(id INTEGER PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS vectors_text(id INTEGER PRIMARY KEY, vector BLOB NOT NULL);
"""

_CHUNK_ROWS = 8192
"""Chosen: vectors read at a time, 12 MiB at 384 dimensions; more take memory, fewer take longer."""


@dataclass(frozen=True, slots=True)
class VectorLaneState:
    """State of a vector lane in one snapshot of the index; `dim` is 0 where the lane has never had a vector.

    `main` names the inverted file (IVF) with the ids up to `main_last_id` as of `main_generation`, or is empty; `tail`
    vectors are not in it, `dead` of its vectors are removed. `next_id` is above every id.
    """

    identity: str
    generation: int
    next_id: int
    dim: int
    model: str
    vectors: int
    main: str
    main_bytes: int
    main_generation: int
    main_last_id: int
    tail: int
    dead: int


def read_lane_state(connection: sqlite3.Connection, lane: Lane) -> VectorLaneState:
    """Read the state of a lane."""
    query = """SELECT identity, generation, next_id, ifnull(dim, 0), ifnull(model, ''), ifnull(vectors, 0),
      ifnull(main, ''), ifnull(main_bytes, 0), ifnull(main_generation, 0), ifnull(main_last_id, 0), ifnull(tail, 0),
      ifnull(dead, 0) FROM state LEFT JOIN lanes ON lane = ?"""
    return VectorLaneState(*connection.execute(query, (lane,)).fetchone())


def verify_model(lane: Lane, stored_model_id: str, configured_model_id: str) -> None:
    """Raise IndexMismatch if both model ids are known and differ."""
    if stored_model_id and configured_model_id and stored_model_id != configured_model_id:
        raise IndexMismatch(
            f"the {lane} lane was made by {stored_model_id}, not by {configured_model_id}; "
            "afterimage reindex encodes it again"
        )


def validate_rows(batch: SegmentBatch, lane: Lane, dim: int) -> tuple[NDArray[np.int64], Vectors]:
    """Return rows and vectors of a lane of a batch after validation; `dim` 0 allows any width.

    Errors: IndexMismatch where the width is not the lane's, a value is not finite, or rows and vectors do not agree.
    """
    if lane not in VECTOR_LANES:
        raise IndexMismatch(f"the {lane} lane takes no vectors")
    rows, vectors = batch.rows[lane], np.ascontiguousarray(batch.vectors[lane], dtype=np.float32)
    if vectors.ndim != 2 or rows.shape != (len(vectors),):
        raise IndexMismatch(f"{rows.shape} rows for vectors {vectors.shape} in the {lane} lane")
    if len(rows) and (rows.min() < 0 or rows.max() >= len(batch.segments)):
        raise IndexMismatch(f"a vector of the {lane} lane belongs to no segment")
    if dim and len(rows) and vectors.shape[1] != dim:
        raise IndexMismatch(f"vectors of {vectors.shape[1]} dimensions in the {lane} lane, which has {dim}")
    if not np.isfinite(vectors).all():
        raise IndexMismatch(f"a vector of the {lane} lane is not finite")
    return rows, vectors


def validate_query(query: NDArray[np.float32] | str, lane: Lane, dim: int) -> NDArray[np.float64]:
    """Return a query vector `[dim]` as float64.

    Errors: InvalidInput for a text or a value that is not finite, IndexMismatch for another width.
    """
    if isinstance(query, str):
        raise InvalidInput(f"the {lane} lane is searched with a vector, not with words")
    if query.shape != (dim,):
        raise IndexMismatch(f"a query of shape {query.shape} for the {lane} lane, which has {dim} dimensions")
    if not np.isfinite(query).all():
        raise InvalidInput("the query vector is not finite")
    return query.astype(np.float64)


def insert(connection: sqlite3.Connection, lane: Lane, batch: SegmentBatch, first_id: int, model: str) -> None:
    """Insert a batch's vectors into a lane; `first_id` is the id of its first segment.

    An empty lane takes on the width and model of the batch. Errors: IndexMismatch, see `validate_rows` and
    `verify_model`.
    """
    state = read_lane_state(connection, lane)
    rows, vectors = validate_rows(batch, lane, state.dim if state.vectors else 0)
    if not len(rows):
        return
    if state.vectors:
        verify_model(lane, state.model, model)
    else:
        adopt = "INSERT OR REPLACE INTO lanes(lane, dim, model) VALUES (?, ?, ?)"
        connection.execute(adopt, (lane, vectors.shape[1], model))
    pairs = zip((rows + first_id).tolist(), (vector.tobytes() for vector in vectors), strict=True)
    connection.executemany(f"INSERT INTO vectors_{lane} VALUES (?, ?)", pairs)
    added = (len(rows), len(rows), lane)
    connection.execute("UPDATE lanes SET vectors = vectors + ?, tail = tail + ? WHERE lane = ?", added)


def delete(connection: sqlite3.Connection, ids: range) -> None:
    """Delete the vectors of a range of segment ids from every lane."""
    for lane in VECTOR_LANES:
        statement = f"DELETE FROM vectors_{lane} WHERE id >= ? AND id < ?"
        deleted_count = connection.execute(statement, (ids.start, ids.stop)).rowcount
        bookkeeping = """UPDATE lanes SET vectors = vectors - :count,
          dead = dead + iif(:first <= main_last_id, :count, 0), tail = tail - iif(:first > main_last_id, :count, 0)
          WHERE lane = :lane"""
        connection.execute(bookkeeping, {"count": deleted_count, "first": ids.start, "lane": lane})


def set_ivf_file(connection: sqlite3.Connection, lane: Lane, name: str, size: int, built_from: VectorLaneState) -> None:
    """Register the inverted file of a lane, built from the state `built_from`; an empty name registers none."""
    last_id = built_from.next_id - 1 if name else 0
    tail = 0 if name else built_from.vectors
    values = (name, size, built_from.generation, last_id, tail, lane)
    connection.execute(
        "UPDATE lanes SET main = ?, main_bytes = ?, main_generation = ?, main_last_id = ?, tail = ?, dead = 0 "
        "WHERE lane = ?",
        values,
    )


def iter_chunks(
    connection: sqlite3.Connection, lane: Lane, after_id: int
) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
    """Yield the ids above `after_id` and their vectors, in order, some thousands at a time."""
    rows = connection.execute(f"SELECT id, vector FROM vectors_{lane} WHERE id > ? ORDER BY id", (after_id,))
    while chunk := rows.fetchmany(_CHUNK_ROWS):
        ids = np.array([row[0] for row in chunk], dtype=np.int64)
        yield ids, np.frombuffer(b"".join(row[1] for row in chunk), dtype=np.float32).reshape(len(ids), -1)


def fetch_by_id(connection: sqlite3.Connection, lane: Lane, ids: list[int]) -> dict[int, NDArray[np.float32]]:
    """Read stored vectors by segment id, in one statement."""
    query = f"SELECT id, vector FROM vectors_{lane} WHERE id IN (SELECT value FROM json_each(?))"
    rows = connection.execute(query, (str(ids),))
    return {row[0]: np.frombuffer(row[1], dtype=np.float32) for row in rows}
