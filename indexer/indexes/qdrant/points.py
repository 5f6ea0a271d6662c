"""Segments as points of Qdrant, and back."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace

import msgspec
from qdrant_client import models

from indexer.errors import ArtifactError
from indexer.indexes import vectors, words
from indexer.indexes.qdrant.changes import Entry, Space, View
from indexer.indexes.qdrant.keywords import sparse
from indexer.indexes.qdrant.layout import KEYWORDS
from indexer.types import AssetTags, Lane, Segment, SegmentBatch, Vectors


class Draft:
    """The points of one put, batch by batch, and what they add up to. `view` is the index without them."""

    def __init__(self, tags: AssetTags, view: View, models_of: Mapping[Lane, str]) -> None:
        self.put = uuid.uuid4().hex
        self._tags, self._view, self._models_of = tags, view, models_of
        self._ordinals: set[int] = set()
        self._documents = self._tokens = 0
        self._spaces: dict[Lane, Space] = {}

    def points(self, batch: SegmentBatch) -> Iterator[models.PointStruct]:
        """The points of a batch. Errors: IndexMismatch, see `vectors.checked_rows`; ArtifactError for an ordinal that
        was there before."""
        rows = {lane: self._rows(batch, lane) for lane in batch.vectors}
        for place, segment in enumerate(batch.segments):
            self._count(segment)
            named = {self._spaces[lane].name: found[place].tolist() for lane, found in rows.items() if place in found}
            yield self._point(segment, named)

    def entry(self, before: Entry | None) -> Entry:
        """The entry that makes this put the one to be seen, in place of what was before."""
        shown = (before.put,) if before is not None and before.put else ()
        return Entry(
            tags=self._tags,
            put=self.put,
            segments=len(self._ordinals),
            documents=self._documents,
            tokens=self._tokens,
            spaces=self._spaces,
            hidden=shown,
        )

    def spaces(self) -> list[Space]:
        """The vector spaces that the points so far need."""
        return list(self._spaces.values())

    def _rows(self, batch: SegmentBatch, lane: Lane) -> dict[int, Vectors]:
        space = self._spaces.get(lane) or space_besides(self._view, lane, self._tags.asset_id)
        model = self._models_of.get(lane, "")
        rows, found = vectors.checked_rows(batch, lane, space.dim if space else 0)
        if space is not None:
            vectors.require_model(lane, space.model, model)
        if len(rows):
            counted = self._spaces[lane].vectors if lane in self._spaces else 0
            base = space or Space(_name(lane, model, found.shape[1]), model, found.shape[1], 0)
            self._spaces[lane] = replace(base, vectors=counted + len(rows))
        return dict(zip(rows.tolist(), found, strict=True))

    def _count(self, segment: Segment) -> None:
        if segment.ordinal in self._ordinals:
            raise ArtifactError(f"asset {self._tags.asset_id} has two segments of ordinal {segment.ordinal}")
        self._ordinals.add(segment.ordinal)

    def _point(self, segment: Segment, named: dict[str, models.Vector]) -> models.PointStruct:
        tokens = words.tokens(segment.text)
        payload = {"put": self.put, **tags_of(self._tags), "segment": _encoded(segment)}
        if segment.start_s is not None and segment.end_s is not None:
            payload |= {"start_s": segment.start_s, "end_s": segment.end_s}
        if tokens:
            self._documents += 1
            self._tokens += len(tokens)
            payload |= {"terms": sorted(set(tokens)), "tokens": " ".join(tokens)}
            named[KEYWORDS] = sparse(tokens)
        point_id = uuid.uuid5(uuid.UUID(self.put), str(segment.ordinal))
        return models.PointStruct(id=str(point_id), vector=named, payload=payload)


def space_besides(view: View, lane: Lane, asset_id: str) -> Space | None:
    """The space of a lane in which other assets than this one have vectors."""
    space, entry = view.spaces.get(lane), view.entry(asset_id)
    own = entry.spaces.get(lane) if entry is not None else None
    if space is None or (own is not None and own.vectors == space.vectors):
        return None
    return space


def tags_of(tags: AssetTags, *more: AssetTags) -> dict[str, object]:
    """The fields that filters look at. With several tags, all of their values: what passes by one of them passes."""
    every = (tags, *more)
    return {
        "asset_id": tags.asset_id,
        "kind": sorted({str(each.kind) for each in every}),
        "collections": sorted({name for each in every for name in each.collections}),
        "file_time": sorted({each.file_time for each in every if each.file_time is not None}),
    }


def segment_of(payload: Mapping[str, object]) -> Segment:
    """The segment that a point stands for."""
    return msgspec.json.decode(str(payload["segment"]), type=Segment)


def _encoded(segment: Segment) -> str:
    text = segment.text.encode("utf-8", "replace").decode()
    return msgspec.json.encode(replace(segment, text=text)).decode()


def _name(lane: Lane, model: str, dim: int) -> str:
    return f"{lane}-{dim}-{hashlib.sha256(model.encode()).hexdigest()[:8]}"
