"""The log of an index in Qdrant: what makes many points change as one.

Qdrant changes point after point, so a reader could see half an asset. Here every asset has one entry in a log, and an
entry is one point: it says which put of the asset is to be seen, which puts are not (yet, or any more), and what the
whole adds up to. Entries are numbered; the number after the last is taken by an insert that only one writer can win. A
reader looks at the log after it has searched: where nothing was written, what it found belongs to one state.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock

import msgspec
from qdrant_client import models

from indexer.errors import IndexBusy
from indexer.indexes.passing import asset_passes
from indexer.indexes.qdrant.server import QdrantServer
from indexer.types import AssetTags, Lane, SegmentFilter

_IN_FORCE = models.Filter(must_not=[models.IsEmptyCondition(is_empty=models.PayloadField(key="asset_id"))])
_PAGE = 1000
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Space:
    """The vectors of one lane of an asset: the named vector they are stored as, their model and how many they are."""

    name: str
    model: str
    dim: int
    vectors: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be seen of one asset.

    `put` marks its points (empty: there are none to be seen), `hidden` marks points that are not to be seen. `mixed`
    says that tags are being changed: points may carry the old ones beside the new. `documents` and `tokens` count what
    the keywords lane has. `generation` is that of the index after this entry.
    """

    tags: AssetTags
    put: str = ""
    segments: int = 0
    documents: int = 0
    tokens: int = 0
    spaces: dict[Lane, Space] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    mixed: bool = False
    generation: int = 0
    writer: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be done."""
        return not self.hidden and not self.mixed


@dataclass(frozen=True, slots=True)
class View:
    """The log up to entry `number`: for each asset its last entry and that entry's number."""

    number: int = 0
    generation: int = 0
    entries: Mapping[str, tuple[int, Entry]] = field(default_factory=dict)
    spaces: Mapping[Lane, Space] = field(default_factory=dict)
    unsettled: tuple[Entry, ...] = ()
    documents: int = 0
    tokens: int = 0

    def entry(self, asset_id: str) -> Entry | None:
        """The asset's entry; None for one that was never here."""
        found = self.entries.get(asset_id)
        return None if found is None else found[1]

    def not_to_be_seen(self, where: SegmentFilter) -> list[str]:
        """The puts whose points a search must leave out."""
        hidden = [put for entry in self.unsettled for put in entry.hidden]
        return hidden + [entry.put for entry in self.unsettled if entry.mixed and not asset_passes(entry.tags, where)]

    def with_entries(self, added: Iterable[tuple[int, Entry]]) -> View:
        """This view, taken on by entries in order. What it adds up to is taken on by what changes."""
        entries, spaces = dict(self.entries), dict(self.spaces)
        unsettled = {entry.tags.asset_id: entry for entry in self.unsettled}
        number, generation, documents, tokens = self.number, self.generation, self.documents, self.tokens
        for number, entry in added:
            asset_id, generation = entry.tags.asset_id, entry.generation
            before = entries[asset_id][1] if asset_id in entries else Entry(entry.tags)
            entries[asset_id] = (number, entry)
            documents += entry.documents - before.documents
            tokens += entry.tokens - before.tokens
            _recount(spaces, before, entry)
            unsettled.pop(asset_id, None)
            if not entry.settled:
                unsettled[asset_id] = entry
        return View(number, generation, entries, spaces, tuple(unsettled.values()), documents, tokens)


class Changes:
    """The log of one index. Any thread may use it. Errors: those of `QdrantServer.asked`, IndexBusy."""

    def __init__(self, server: QdrantServer, collection: str) -> None:
        self._server, self._collection = server, collection
        self._view = View()
        self._lock = Lock()

    @property
    def view(self) -> View:
        """The log as it was read last."""
        return self._view

    def follow(self) -> View:
        """Read what was written since the last time; the same object where there is nothing."""
        view = self._view
        added = [(number, _decoded(payload)) for number, payload in self._written_after(view.number) if payload]
        if not added:
            return view
        view = view.with_entries(added)
        with self._lock:
            if view.number > self._view.number:
                self._view = view
        return view

    def append(self, make: Callable[[View], Entry]) -> Entry:
        """Write the entry that `make` makes of the latest view; what it raises is passed on. Gives the entry.

        Where another writer took the number, `make` is asked again.
        """
        for _ in range(_TRIES):
            view = self.follow()
            entry = replace(make(view), writer=uuid.uuid4().hex)
            number = view.number + 1
            self._insert(number, entry)
            followed = self.follow()
            if self._won(followed, number, entry):
                self._empty_older(entry.tags.asset_id, number)
                return entry
        raise IndexBusy("too many processes are writing to the index")

    def _won(self, view: View, number: int, entry: Entry) -> bool:
        latest = view.entries.get(entry.tags.asset_id)
        return latest is not None and latest == (number, entry)

    def _written_after(self, number: int) -> Iterator[tuple[int, models.Payload | None]]:
        """Numbers and payloads, in order; the first time, those of entries that are in force alone."""
        only, offset = (None if number else _IN_FORCE), number + 1
        while True:
            with self._server.asked() as client:
                page, _ = client.scroll(self._collection, only, limit=_PAGE, offset=offset, with_payload=True)
            for record in page:
                yield int(record.id), record.payload
            if len(page) < _PAGE:
                return
            offset = int(page[-1].id) + 1

    def _insert(self, number: int, entry: Entry) -> None:
        payload = {"asset_id": entry.tags.asset_id, "entry": msgspec.json.encode(entry).decode()}
        point = models.PointStruct(id=number, vector={}, payload=payload)
        with self._server.asked() as client:
            client.upsert(
                self._collection,
                [point],
                update_mode=models.UpdateMode.INSERT_ONLY,
                ordering=models.WriteOrdering.STRONG,
            )

    def _empty_older(self, asset_id: str, number: int) -> None:
        """Empty the entries that the asset had before. Their numbers stay taken: a writer that is behind must not find
        one free."""
        older = models.Filter(
            must=[models.FieldCondition(key="asset_id", match=models.MatchValue(value=asset_id))],
            must_not=[models.HasIdCondition(has_id=[number])],
        )
        with self._server.asked() as client:
            client.clear_payload(
                self._collection, models.FilterSelector(filter=older), ordering=models.WriteOrdering.STRONG
            )


def _decoded(payload: models.Payload) -> Entry:
    return msgspec.json.decode(str(payload["entry"]), type=Entry)


def _recount(spaces: dict[Lane, Space], before: Entry, entry: Entry) -> None:
    """Take the space of each lane that has vectors on, with the number of all of them."""
    for lane in {**before.spaces, **entry.spaces}:
        space = entry.spaces.get(lane) or spaces.get(lane)
        if space is None:
            continue
        own, gone = (one.spaces[lane].vectors if lane in one.spaces else 0 for one in (entry, before))
        there = spaces[lane].vectors if lane in spaces else 0
        if total := there + own - gone:
            spaces[lane] = replace(space, vectors=total)
        else:
            spaces.pop(lane, None)
