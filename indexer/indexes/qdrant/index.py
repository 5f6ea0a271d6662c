"""The segment index of several machines: Qdrant holds everything, any number of processes read and write it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models

from indexer.errors import AfterimageError, ArtifactError, AssetNotFound
from indexer.indexes import vectors
from indexer.indexes.qdrant.changes import Changes, Entry, View
from indexer.indexes.qdrant.filters import holding, passes_nothing
from indexer.indexes.qdrant.layout import Layout, Place, make_space, place_in_use
from indexer.indexes.qdrant.points import Draft, space_besides, tags_of
from indexer.indexes.qdrant.reading import Precision, Reader
from indexer.indexes.qdrant.server import CollectionGone, QdrantServer
from indexer.types import AssetTags, Hit, Lane, SegmentBatch, SegmentFilter

T = TypeVar("T")

_NO_MODELS: Mapping[Lane, str] = MappingProxyType({})
_POINTS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class _Opened:
    place: Place
    changes: Changes
    reader: Reader


class QdrantIndex:
    """`SegmentIndex` in Qdrant, below an alias (or at a fixed `place`). One process at a time changes one asset (the
    caller sees to that); any number change different assets, and search.

    `models_of` names the encoder of each lane; vectors of another one are refused. Up to `exact_up_to` vectors a lane
    is searched exactly. What makes a change whole is told in `changes.py`. The server is the caller's, who closes it.
    Errors beside those of the port: IndexUnavailable, IndexBusy.
    """

    def __init__(
        self,
        server: QdrantServer,
        prefix: str,
        models_of: Mapping[Lane, str] = _NO_MODELS,
        layout: Layout | None = None,
        *,
        exact_up_to: int = 100_000,
        place: Place | None = None,
    ) -> None:
        self._server, self._prefix, self._layout = server, prefix, layout or Layout()
        self._models_of, self._place = models_of, place
        self._precision = Precision(exact_up_to, self._layout.quantized)
        self._in_use: _Opened | None = None

    def made_by(self) -> dict[Lane, str]:
        """The encoders whose vectors are stored, whatever `models_of` names now."""
        view = self._reading(lambda opened: opened.changes.follow())
        return {lane: space.model for lane, space in view.spaces.items() if space.model}

    def put(self, tags: AssetTags, batches: Iterable[SegmentBatch]) -> int:
        opened = self._opened(afresh=True)
        self._settle(opened, tags.asset_id)
        draft = Draft(tags, opened.changes.follow(), self._models_of)
        opened.changes.append(lambda view: _announced(view, tags, draft.put))
        try:
            self._write(opened, draft, batches)
            entry = opened.changes.append(lambda view: self._shown(view, draft, tags.asset_id))
        except BaseException:
            with suppress(AfterimageError):  # what is left is hidden, and goes with the asset's next change
                self._settle(opened, tags.asset_id)
            raise
        self._settle(opened, tags.asset_id)
        return entry.segments

    def tag(self, tags: AssetTags) -> None:
        opened = self._opened(afresh=True)
        self._settle(opened, tags.asset_id)
        before = _seen(opened.changes.follow(), tags.asset_id)
        if before is None:
            raise AssetNotFound(f"the index has no asset {tags.asset_id}")
        opened.changes.append(lambda view: replace(before, mixed=True, generation=view.generation))
        self._tag_points(opened, before.put, tags_of(tags, before.tags))
        opened.changes.append(lambda view: replace(before, tags=tags, mixed=True, generation=view.generation + 1))
        self._settle(opened, tags.asset_id)

    def remove(self, asset_id: str) -> int:
        opened = self._opened(afresh=True)
        self._settle(opened, asset_id)
        before = _seen(opened.changes.follow(), asset_id)
        if before is None:
            return 0
        gone = Entry(before.tags, hidden=(before.put,))
        opened.changes.append(lambda view: replace(gone, generation=view.generation + 1))
        self._settle(opened, asset_id)
        return before.segments

    def search(self, lane: Lane, query: NDArray[np.float32] | str, limit: int, where: SegmentFilter) -> list[Hit]:
        if limit < 1 or passes_nothing(where):
            return []
        return self._reading(lambda opened: opened.reader.search(lane, query, limit, where))

    def counts(self) -> dict[str, int]:
        view = self._reading(lambda opened: opened.changes.follow())
        return {key: entry.segments for key, (_, entry) in sorted(view.entries.items()) if entry.put}

    def generation(self) -> int:
        return self._reading(lambda opened: opened.changes.follow()).generation

    def check(self) -> None:
        self._in_use = None
        view = self._reading(lambda opened: opened.changes.follow())
        for lane, space in view.spaces.items():
            vectors.require_model(lane, space.model, self._models_of.get(lane, ""))

    def close(self) -> None:
        """Forget what was read; the next use reads it again."""
        self._in_use = None

    def _opened(self, *, afresh: bool = False) -> _Opened:
        """The collections in use. A writer looks at the alias each time: it must not write into an index that is out
        of use; a reader notices when its collections are gone."""
        opened = self._in_use
        if opened is None or afresh:
            place = self._place or place_in_use(self._server, self._prefix, self._layout)
            if opened is None or opened.place != place:
                changes = Changes(self._server, place.changes)
                reader = Reader(self._server, place.segments, changes, self._models_of, self._precision)
                opened = _Opened(place, changes, reader)
                opened.changes.follow()
                self._in_use = opened
        return opened

    def _reading(self, ask: Callable[[_Opened], T]) -> T:
        try:
            return ask(self._opened())
        except CollectionGone:
            self._in_use = None
            return ask(self._opened())

    def _write(self, opened: _Opened, draft: Draft, batches: Iterable[SegmentBatch]) -> None:
        """Write the points of a put, and count what has arrived. Errors: ArtifactError where some have not."""
        made: set[str] = set()
        written = 0
        for batch in batches:
            for points in _some_at_a_time(draft.points(batch)):
                for space in draft.spaces():
                    if space.name not in made:
                        make_space(self._server, opened.place, space.name, space.dim)
                        made.add(space.name)
                with self._server.asked() as client:
                    client.upsert(opened.place.segments, points)
                written += len(points)
        with self._server.asked() as client:
            arrived = client.count(opened.place.segments, holding("put", draft.put), exact=True).count
        if arrived != written:
            raise ArtifactError(f"{arrived} of {written} segments have arrived in Qdrant")

    def _shown(self, view: View, draft: Draft, asset_id: str) -> Entry:
        """The entry that shows a put, unless another writer has filled a lane with another model meanwhile."""
        entry = draft.entry(view.entry(asset_id))
        for lane, space in entry.spaces.items():
            other = space_besides(view, lane, asset_id)
            if other is not None and other.name != space.name:
                vectors.require_model(lane, f"{other.model} ({other.dim})", f"{space.model} ({space.dim})")
        return replace(entry, generation=view.generation + 1)

    def _settle(self, opened: _Opened, asset_id: str) -> None:
        """Do what is left to be done for an asset, by this change or by one that was killed."""
        entry = opened.changes.follow().entry(asset_id)
        if entry is None or entry.settled:
            return
        for put in entry.hidden:
            with self._server.asked() as client:
                client.delete(opened.place.segments, models.FilterSelector(filter=holding("put", put)))
        if entry.mixed:
            self._tag_points(opened, entry.put, tags_of(entry.tags))
        opened.changes.append(lambda view: replace(entry, hidden=(), mixed=False, generation=view.generation))

    def _tag_points(self, opened: _Opened, put: str, fields: dict[str, object]) -> None:
        with self._server.asked() as client:
            client.set_payload(opened.place.segments, fields, holding("put", put))


def _announced(view: View, tags: AssetTags, put: str) -> Entry:
    """The asset as it is, with a put to come that is not to be seen."""
    before = view.entry(tags.asset_id) or Entry(tags)
    return replace(before, hidden=(*before.hidden, put), generation=view.generation)


def _seen(view: View, asset_id: str) -> Entry | None:
    entry = view.entry(asset_id)
    return entry if entry is not None and entry.put else None


def _some_at_a_time(points: Iterable[models.PointStruct]) -> Iterator[list[models.PointStruct]]:
    remaining = iter(points)
    while some := list(islice(remaining, _POINTS_AT_ONCE)):
        yield some
