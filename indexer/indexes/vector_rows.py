"""Embeddings as rows of SQLite: one table a lane, and what is known of each lane."""

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


@dataclass(frozen=True, slots=True)
class VectorLaneState:
    """A lane of one snapshot. `dim` is 0 where the lane has never had a vector.

    `main` names the file with the bulk of the lane (ids up to `main_last_id` as of `main_generation`), or is empty;
    `tail` vectors came since, `dead` of its own are removed. `past_id` is above every id.
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
    query = """SELECT identity, generation, next_id, ifnull(dim, 0), ifnull(model, ''), ifnull(vectors, 0),
      ifnull(main, ''), ifnull(main_bytes, 0), ifnull(main_generation, 0), ifnull(main_last_id, 0), ifnull(tail, 0),
      ifnull(dead, 0) FROM state LEFT JOIN lanes ON lane = ?"""
    return VectorLaneState(*connection.execute(query, (lane,)).fetchone())


def verify_model(lane: Lane, stored_model_id: str, configured_model_id: str) -> None:
    """Errors: IndexMismatch where the lane's vectors are of another model than the one that is named now."""
    if stored_model_id and configured_model_id and stored_model_id != configured_model_id:
        raise IndexMismatch(
            f"the {lane} lane was made by {stored_model_id}, not by {configured_model_id}; afterimage reindex moves it over"
        )


def validate_rows(batch: SegmentBatch, lane: Lane, dim: int) -> tuple[NDArray[np.int64], Vectors]:
    """The rows and vectors of a lane of a batch; `dim` 0 takes any width.

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
    """A query vector `[dim]`. Errors: QueryError for words or what is not finite, IndexMismatch for the width."""
    if isinstance(query, str):
        raise InvalidInput(f"the {lane} lane is searched with a vector, not with words")
    if query.shape != (dim,):
        raise IndexMismatch(f"a query of shape {query.shape} for the {lane} lane, which has {dim} dimensions")
    if not np.isfinite(query).all():
        raise InvalidInput("the query vector is not finite")
    return query.astype(np.float64)


def insert(connection: sqlite3.Connection, lane: Lane, batch: SegmentBatch, first_id: int, model: str) -> None:
    """Add a batch's vectors to a lane; `first_id` is its first segment's. An empty lane takes on width and model.

    Errors: IndexMismatch, see `checked_rows` and `require_model`.
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
    """Take the vectors of these segments out of every lane."""
    for lane in VECTOR_LANES:
        statement = f"DELETE FROM vectors_{lane} WHERE id >= ? AND id < ?"
        deleted_count = connection.execute(statement, (ids.start, ids.stop)).rowcount
        bookkeeping = """UPDATE lanes SET vectors = vectors - :gone,
          dead = dead + iif(:first <= main_last_id, :gone, 0), tail = tail - iif(:first > main_last_id, :gone, 0)
          WHERE lane = :lane"""
        connection.execute(bookkeeping, {"gone": deleted_count, "first": ids.start, "lane": lane})


def set_ivf_file(connection: sqlite3.Connection, lane: Lane, name: str, size: int, built_from: VectorLaneState) -> None:
    """Point readers to a new main file (an empty name: to none), made from the state that is named."""
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
    """The vectors with a higher id, by id, a few thousand at a time."""
    rows = connection.execute(f"SELECT id, vector FROM vectors_{lane} WHERE id > ? ORDER BY id", (after_id,))
    while chunk := rows.fetchmany(_CHUNK_ROWS):
        ids = np.array([row[0] for row in chunk], dtype=np.int64)
        yield ids, np.frombuffer(b"".join(row[1] for row in chunk), dtype=np.float32).reshape(len(ids), -1)


def fetch_by_id(connection: sqlite3.Connection, lane: Lane, ids: list[int]) -> dict[int, NDArray[np.float32]]:
    """Stored vectors of these segments, in one statement."""
    query = f"SELECT id, vector FROM vectors_{lane} WHERE id IN (SELECT value FROM json_each(?))"
    rows = connection.execute(query, (str(ids),))
    return {row[0]: np.frombuffer(row[1], dtype=np.float32) for row in rows}
