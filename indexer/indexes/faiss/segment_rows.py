"""Assets and segments as rows of SQLite: schema, reading, writing, and filters as SQL conditions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.errors import AssetNotFound
from indexer.text import tokenizer
from indexer.text.passage import text_with_context
from indexer.types import (
    AssetKind,
    AssetTags,
    Box,
    LineSpan,
    Origin,
    PictureRef,
    Segment,
    SegmentFilter,
)

SCHEMA_VERSION = 2  # Form: counts the layouts of the tables below
UPGRADES = {1: "ALTER TABLE segments ADD COLUMN context TEXT NOT NULL DEFAULT ''"}
"""Form: what makes the next version of each older one."""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS state(
  one INTEGER PRIMARY KEY CHECK (one = 1), identity TEXT NOT NULL, generation INTEGER NOT NULL, next_id INTEGER NOT NULL
);
INSERT OR IGNORE INTO state VALUES (1, lower(hex(randomblob(16))), 0, 1);
CREATE TABLE IF NOT EXISTS assets(
  key INTEGER PRIMARY KEY, asset_id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, file_time REAL,
  first_id INTEGER NOT NULL, segments INTEGER NOT NULL, documents INTEGER NOT NULL, tokens INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS membership(
  collection TEXT NOT NULL, asset INTEGER NOT NULL, PRIMARY KEY (collection, asset)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS membership_by_asset ON membership(asset);
CREATE TABLE IF NOT EXISTS segments(
  id INTEGER PRIMARY KEY, asset INTEGER NOT NULL, ordinal INTEGER NOT NULL, origin TEXT NOT NULL, start_s REAL,
  end_s REAL, page INTEGER, box TEXT, text TEXT NOT NULL, lines TEXT NOT NULL, picture TEXT,
  context TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX IF NOT EXISTS segments_by_ordinal ON segments(asset, ordinal);
CREATE INDEX IF NOT EXISTS segments_by_span ON segments(asset, start_s, end_s);
CREATE TABLE IF NOT EXISTS removed(generation INTEGER NOT NULL, first_id INTEGER NOT NULL, past_id INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS removed_by_generation ON removed(generation);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
  tokens, tokenize = "ascii tokenchars '{tokenizer.JOINERS.replace("'", "''''")}'"
);
CREATE VIRTUAL TABLE IF NOT EXISTS vocabulary USING fts5vocab(words, row);
"""

_SEGMENT_COLUMNS = "s.ordinal, s.origin, s.start_s, s.end_s, s.page, s.box, s.text, s.lines, s.picture, s.context"


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """Segment that was read by its id, with its asset."""

    asset_id: str
    kind: AssetKind
    segment: Segment


class AssetWriter:
    """Writer of one asset's segments inside a transaction; their ids are one contiguous, unused range."""

    def __init__(self, connection: sqlite3.Connection, tags: AssetTags) -> None:
        self._first = self._next = next_id(connection)
        self._connection = connection
        self._documents = self._tokens = 0
        columns = "asset_id, kind, file_time, first_id, segments, documents, tokens"
        cursor = connection.execute(
            f"INSERT INTO assets({columns}) VALUES (?, ?, ?, ?, 0, 0, 0)",
            (tags.asset_id, tags.kind, tags.file_time, self._first),
        )
        self._key = cursor.lastrowid
        connection.executemany("INSERT INTO membership VALUES (?, ?)", ((name, self._key) for name in tags.collections))

    def add(self, segments: Sequence[Segment]) -> int:
        """Insert segments and their tokens; return the id of the first segment."""
        first = self._next
        self._next += len(segments)
        rows = ((first + offset, self._key, *_to_row(segment)) for offset, segment in enumerate(segments))
        self._connection.executemany("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._connection.executemany(
            "INSERT INTO words(rowid, tokens) VALUES (?, ?)", self._full_text_rows(segments, first)
        )
        return first

    def finish(self) -> int:
        """Store the asset's totals and the next free id; return the number of its segments."""
        count = self._next - self._first
        self._connection.execute(
            "UPDATE assets SET segments = ?, documents = ?, tokens = ? WHERE key = ?",
            (count, self._documents, self._tokens, self._key),
        )
        self._connection.execute("UPDATE state SET next_id = ?", (self._next,))
        return count

    def _full_text_rows(self, segments: Sequence[Segment], first: int) -> Iterator[tuple[int, str]]:
        for offset, segment in enumerate(segments):
            tokens = tokenizer.tokenize_document(text_with_context(segment))
            if tokens:
                self._documents += 1
                self._tokens += len(tokens)
                yield first + offset, " ".join(tokens)


def bump_generation(connection: sqlite3.Connection) -> None:
    """Increase the number of the index state."""
    connection.execute("UPDATE state SET generation = generation + 1")


def current_generation(connection: sqlite3.Connection) -> int:
    """Read the number of the index state."""
    return int(connection.execute("SELECT generation FROM state").fetchone()[0])


def next_id(connection: sqlite3.Connection) -> int:
    """Read the next free segment id, above every id that was ever used."""
    return int(connection.execute("SELECT next_id FROM state").fetchone()[0])


def delete_asset(connection: sqlite3.Connection, asset_id: str) -> range | None:
    """Delete an asset's segments and tokens and return their ids; None for an unknown asset.

    The ids are logged as removed by the generation that this transaction begins.
    """
    row = connection.execute("SELECT key, first_id, segments FROM assets WHERE asset_id = ?", (asset_id,)).fetchone()
    if row is None:
        return None
    key, first, count = row
    ids = range(first, first + count)
    for table, column in (("segments", "id"), ("words", "rowid")):
        connection.execute(f"DELETE FROM {table} WHERE {column} >= ? AND {column} < ?", (ids.start, ids.stop))
    connection.execute("DELETE FROM membership WHERE asset = ?", (key,))
    connection.execute("DELETE FROM assets WHERE key = ?", (key,))
    connection.execute("INSERT INTO removed SELECT generation + 1, ?, ? FROM state", (ids.start, ids.stop))
    return ids


def update_tags(connection: sqlite3.Connection, tags: AssetTags) -> None:
    """Replace the filterable properties of an asset. Errors: AssetNotFound."""
    row = connection.execute("SELECT key FROM assets WHERE asset_id = ?", (tags.asset_id,)).fetchone()
    if row is None:
        raise AssetNotFound(f"the index has no asset {tags.asset_id}")
    connection.execute("UPDATE assets SET kind = ?, file_time = ? WHERE key = ?", (tags.kind, tags.file_time, *row))
    connection.execute("DELETE FROM membership WHERE asset = ?", row)
    connection.executemany("INSERT INTO membership VALUES (?, ?)", ((name, *row) for name in tags.collections))


def segment_counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Read the number of segments of every asset."""
    return dict(connection.execute("SELECT asset_id, segments FROM assets ORDER BY asset_id"))


def removed_ranges(connection: sqlite3.Connection, after_generation: int) -> list[tuple[int, int]]:
    """Read the half-open ranges of ids that generations after `after_generation` removed."""
    query = "SELECT first_id, past_id FROM removed WHERE generation > ? AND past_id > first_id"
    return connection.execute(query, (after_generation,)).fetchall()


def allowed_id_mask(connection: sqlite3.Connection, filters: SegmentFilter) -> NDArray[np.bool_] | None:
    """Return the ids that pass a filter as a mask `[next_id]`; None where the filter restricts nothing."""
    if filters == SegmentFilter():
        return None
    mask = np.zeros(next_id(connection), dtype=np.bool_)
    condition, values = to_sql_condition(filters)
    if filters.start_s is None and filters.end_s is None:
        query = f"SELECT a.first_id, a.first_id + a.segments FROM assets a WHERE {condition}"
        for first, last in connection.execute(query, values):
            mask[first:last] = True
    else:
        query = f"SELECT s.id FROM assets a CROSS JOIN segments s ON s.asset = a.key WHERE {condition}"
        mask[np.fromiter((row[0] for row in connection.execute(query, values)), dtype=np.int64)] = True
    return mask


def to_sql_condition(filters: SegmentFilter) -> tuple[str, list[str | float]]:
    """Translate a filter to an SQL condition on `assets a` and `segments s`, with its parameters."""
    conditions: list[tuple[str, str | float]] = []
    if filters.collections is not None:
        member = "a.key IN (SELECT asset FROM membership WHERE collection IN (SELECT value FROM json_each(?)))"
        conditions.append((member, _to_json(sorted(filters.collections))))
    if filters.kinds is not None:
        conditions.append(("a.kind IN (SELECT value FROM json_each(?))", _to_json(sorted(filters.kinds))))
    if filters.assets is not None:
        conditions.append(("a.asset_id IN (SELECT value FROM json_each(?))", _to_json(sorted(filters.assets))))
    if filters.file_after is not None:
        conditions.append(("a.file_time >= ?", filters.file_after))
    if filters.file_before is not None:
        conditions.append(("a.file_time < ?", filters.file_before))
    if filters.start_s is not None:
        conditions.append(("s.start_s IS NOT NULL AND s.end_s > ?", filters.start_s))
    if filters.end_s is not None:
        conditions.append(("s.end_s IS NOT NULL AND s.start_s < ?", filters.end_s))
    return " AND ".join(condition for condition, _ in conditions) or "1", [value for _, value in conditions]


def fetch_segments(connection: sqlite3.Connection, ids: Iterable[int]) -> dict[int, StoredSegment]:
    """Read segments by id, in one statement."""
    query = (
        f"SELECT s.id, a.asset_id, a.kind, {_SEGMENT_COLUMNS} FROM json_each(?) wanted "
        "CROSS JOIN segments s ON s.id = wanted.value CROSS JOIN assets a ON a.key = s.asset"
    )
    rows = connection.execute(query, (_to_json(list(ids)),))
    return {row[0]: StoredSegment(row[1], AssetKind(row[2]), _from_row(row[3:])) for row in rows}


def _to_row(segment: Segment) -> tuple[int | float | str | None, ...]:
    picture = segment.picture
    return (
        segment.ordinal,
        segment.origin,
        segment.start_s,
        segment.end_s,
        segment.page,
        _to_json(_corners(segment.box)) if segment.box else None,
        segment.text.encode("utf-8", "replace").decode(),
        _to_json([(line.start, line.end, *_corners(line.box)) for line in segment.lines]) if segment.lines else "",
        _to_json(_picture_fields(picture)) if picture else None,
        segment.context.encode("utf-8", "replace").decode(),
    )


def _from_row(row: Sequence[object]) -> Segment:
    ordinal, origin, start_s, end_s, page, box, text, lines, picture, context = row
    return Segment(
        ordinal=ordinal,  # type: ignore[arg-type]  # SQLite returns the types that _to_row stored
        origin=Origin(origin),  # type: ignore[arg-type]
        start_s=start_s,  # type: ignore[arg-type]
        end_s=end_s,  # type: ignore[arg-type]
        page=page,  # type: ignore[arg-type]
        box=Box(*json.loads(box)) if isinstance(box, str) else None,
        text=text,  # type: ignore[arg-type]
        lines=tuple(LineSpan(a, b, Box(*corners)) for a, b, *corners in json.loads(lines)) if lines else (),  # type: ignore[arg-type]
        picture=_to_picture(*json.loads(picture)) if isinstance(picture, str) else None,
        context=context,  # type: ignore[arg-type]
    )


def _picture_fields(picture: PictureRef) -> tuple[str | int | float, ...]:
    """Return key, offset and length, and the corners of the region where the picture is a tile."""
    return (picture.key, picture.offset, picture.length, *(_corners(picture.region) if picture.region else ()))


def _to_picture(key: str, offset: int, length: int, *corners: float) -> PictureRef:
    return PictureRef(key, offset, length, Box(*corners) if corners else None)


def _corners(box: Box) -> tuple[float, float, float, float]:
    return box.x0, box.y0, box.x1, box.y1


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
