"""Commit log of an index in Qdrant: makes changes of many points atomic (decision 0047).

Qdrant changes point after point, so a reader could see half an asset. In the log every asset has one entry, which is
one point: it says which put of the asset is visible, which puts are hidden, and the asset's totals. Entries are
numbered; the next number is taken by an insert that only one writer can win (compare-and-set). A reader reads the log
again after its search: if nothing was written, its results belong to one state.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock

import msgspec
from qdrant_client import models

from indexer.errors import WriteLockTimeout
from indexer.indexes.filters import asset_passes
from indexer.indexes.qdrant.connection import QdrantConnection
from indexer.types import AssetTags, Lane, SegmentFilter

_CURRENT_ENTRIES_FILTER = models.Filter(
    must_not=[models.IsEmptyCondition(is_empty=models.PayloadField(key="asset_id"))]
)
_SCROLL_PAGE_SIZE = 1000  # Form: entries of a request
_MAX_ATTEMPTS = 100
"""Chosen: times that a writer may lose the race for a number; fewer fail sooner among many writers."""


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """Named vector of a lane: its name, model, width, and number of vectors."""

    name: str
    model: str
    dim: int
    vectors: int


@dataclass(frozen=True, slots=True)
class LogEntry:
    """Log entry of an asset: its visible and hidden puts, and its totals.

    `put` is the id of the visible points (empty: none), `hidden` are those of points that no search may return.
    `retagging` says that tags are being changed: points may have old and new ones. `documents` and `tokens` count the
    texts of the keywords lane. `generation` is that of the index after this entry.
    """

    tags: AssetTags
    put: str = ""
    segments: int = 0
    documents: int = 0
    tokens: int = 0
    spaces: dict[Lane, VectorSpace] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    retagging: bool = False
    generation: int = 0
    writer: str = ""

    @property
    def is_settled(self) -> bool:
        """True if no points have to be deleted or retagged."""
        return not self.hidden and not self.retagging


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State of the log up to entry `number`: the latest entry of each asset with its number, and the totals."""

    number: int = 0
    generation: int = 0
    entries: Mapping[str, tuple[int, LogEntry]] = field(default_factory=dict)
    spaces: Mapping[Lane, VectorSpace] = field(default_factory=dict)
    unsettled_entries: tuple[LogEntry, ...] = ()
    documents: int = 0
    tokens: int = 0

    def entry(self, asset_id: str) -> LogEntry | None:
        """Return an asset's latest entry; None for an asset that never had one."""
        numbered = self.entries.get(asset_id)
        return None if numbered is None else numbered[1]

    def hidden_puts(self, filters: SegmentFilter) -> list[str]:
        """Return the puts whose points a search with these filters must exclude."""
        hidden = [put for entry in self.unsettled_entries for put in entry.hidden]
        return hidden + [
            entry.put for entry in self.unsettled_entries if entry.retagging and not asset_passes(entry.tags, filters)
        ]

    def with_entries(self, new_entries: Iterable[tuple[int, LogEntry]]) -> Snapshot:
        """Return the snapshot after further entries, in order; totals are updated by the differences."""
        entries, spaces = dict(self.entries), dict(self.spaces)
        unsettled = {entry.tags.asset_id: entry for entry in self.unsettled_entries}
        number, generation, documents, tokens = self.number, self.generation, self.documents, self.tokens
        for number, entry in new_entries:
            asset_id, generation = entry.tags.asset_id, entry.generation
            before = entries[asset_id][1] if asset_id in entries else LogEntry(entry.tags)
            entries[asset_id] = (number, entry)
            documents += entry.documents - before.documents
            tokens += entry.tokens - before.tokens
            _update_vector_counts(spaces, before, entry)
            unsettled.pop(asset_id, None)
            if not entry.is_settled:
                unsettled[asset_id] = entry
        return Snapshot(number, generation, entries, spaces, tuple(unsettled.values()), documents, tokens)


class CommitLog:
    """Commit log of an index. Thread-safe. Errors: those of `QdrantConnection.client`, WriteLockTimeout."""

    def __init__(self, connection: QdrantConnection, collection: str) -> None:
        self._connection, self._collection = connection, collection
        self._snapshot = Snapshot()
        self._lock = Lock()

    @property
    def snapshot(self) -> Snapshot:
        """The latest snapshot that was read."""
        return self._snapshot

    def refresh(self) -> Snapshot:
        """Read new entries and return the latest snapshot; the same object where there are none."""
        snapshot = self._snapshot
        new_entries = [
            (number, _decode_entry(payload)) for number, payload in self._read_after(snapshot.number) if payload
        ]
        if not new_entries:
            return snapshot
        snapshot = snapshot.with_entries(new_entries)
        with self._lock:
            if snapshot.number > self._snapshot.number:
                self._snapshot = snapshot
        return snapshot

    def commit(self, build_entry: Callable[[Snapshot], LogEntry]) -> LogEntry:
        """Append the entry that `build_entry` returns for the latest snapshot, and return it.

        `build_entry` is called again where another writer took the number; its exceptions are passed on. Errors:
        WriteLockTimeout.
        """
        for _ in range(_MAX_ATTEMPTS):
            snapshot = self.refresh()
            entry = replace(build_entry(snapshot), writer=uuid.uuid4().hex)
            number = snapshot.number + 1
            self._insert_entry(number, entry)
            if self._is_committed(self.refresh(), number, entry):
                self._clear_older_entries(entry.tags.asset_id, number)
                return entry
        raise WriteLockTimeout("too many processes are writing to the index")

    def _is_committed(self, snapshot: Snapshot, number: int, entry: LogEntry) -> bool:
        latest = snapshot.entries.get(entry.tags.asset_id)
        return latest is not None and latest == (number, entry)

    def _read_after(self, number: int) -> Iterator[tuple[int, models.Payload | None]]:
        """Yield numbers and payloads after `number` in order; from 0 on, those of current entries only."""
        scroll_filter, offset = (None if number else _CURRENT_ENTRIES_FILTER), number + 1
        while True:
            with self._connection.client() as client:
                page, _ = client.scroll(
                    self._collection, scroll_filter, limit=_SCROLL_PAGE_SIZE, offset=offset, with_payload=True
                )
            for record in page:
                yield int(record.id), record.payload
            if len(page) < _SCROLL_PAGE_SIZE:
                return
            offset = int(page[-1].id) + 1

    def _insert_entry(self, number: int, entry: LogEntry) -> None:
        payload = {"asset_id": entry.tags.asset_id, "entry": msgspec.json.encode(entry).decode()}
        point = models.PointStruct(id=number, vector={}, payload=payload)
        with self._connection.client() as client:
            client.upsert(
                self._collection,
                [point],
                update_mode=models.UpdateMode.INSERT_ONLY,
                ordering=models.WriteOrdering.STRONG,
            )

    def _clear_older_entries(self, asset_id: str, number: int) -> None:
        """Clear the payload of an asset's older entries; a writer that is behind must not find their numbers free."""
        older = models.Filter(
            must=[models.FieldCondition(key="asset_id", match=models.MatchValue(value=asset_id))],
            must_not=[models.HasIdCondition(has_id=[number])],
        )
        with self._connection.client() as client:
            client.clear_payload(
                self._collection, models.FilterSelector(filter=older), ordering=models.WriteOrdering.STRONG
            )


def _decode_entry(payload: models.Payload) -> LogEntry:
    # Entries written before 2026-11-29 call the field `mixed`; inside a JSON string its quotes would be escaped.
    return msgspec.json.decode(str(payload["entry"]).replace('"mixed":', '"retagging":'), type=LogEntry)


def _update_vector_counts(spaces: dict[Lane, VectorSpace], before: LogEntry, entry: LogEntry) -> None:
    """Update the number of vectors of each lane by the difference between two entries of an asset."""
    for lane in {**before.spaces, **entry.spaces}:
        space = entry.spaces.get(lane) or spaces.get(lane)
        if space is None:
            continue
        added = entry.spaces[lane].vectors if lane in entry.spaces else 0
        removed = before.spaces[lane].vectors if lane in before.spaces else 0
        current = spaces[lane].vectors if lane in spaces else 0
        if total := current + added - removed:
            spaces[lane] = replace(space, vectors=total)
        else:
            spaces.pop(lane, None)
