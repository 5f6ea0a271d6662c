"""What an index is in Qdrant: two collections, and an alias that says which of them are in use.

`PREFIX-STAMP` holds the segments, `PREFIX-STAMP-changes` the log of changes (see `changes.py`), the alias `PREFIX`
names the one in use: it is moved in one step.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

from qdrant_client import models

from indexer.indexes.qdrant.server import AlreadyThere, CollectionGone, QdrantServer

KEYWORDS = "keywords"
"""The name of the sparse vector."""

_WORD = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD)
_TERMS = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, memory=models.Memory.COLD, enable_hnsw=False)
_PLAIN = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, enable_hnsw=False)
_NUMBER = models.FloatIndexParams(type=models.FloatIndexType.FLOAT)
_INDEXED: dict[str, models.KeywordIndexParams | models.FloatIndexParams] = {
    "asset_id": _WORD,
    "kind": _WORD,
    "collections": _WORD,
    "put": _PLAIN,
    "terms": _TERMS,
    "file_time": _NUMBER,
    "start_s": _NUMBER,
    "end_s": _NUMBER,
}


@dataclass(frozen=True, slots=True)
class Layout:
    """How collections are made: `quantized` searches int8 copies, pinned in memory, and scores by the vectors
    themselves; `shards` are spread over the nodes of a cluster, each `replicas` times."""

    quantized: bool = False
    shards: int = 1
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Place:
    """The two collections of one index."""

    segments: str

    @property
    def changes(self) -> str:
        return f"{self.segments}-changes"


def place_in_use(server: QdrantServer, prefix: str, layout: Layout) -> Place:
    """What the alias names; made, where there is nothing yet."""
    found = _named(server, prefix)
    if found is not None:
        return found
    first = Place(f"{prefix}-0")
    make(server, first, layout)
    with suppress(AlreadyThere), server.asked() as client:
        client.update_collection_aliases([_create(prefix, first)])
    return _named(server, prefix) or first


def new_place(prefix: str) -> Place:
    """A name that was not there before."""
    return Place(f"{prefix}-{time.time_ns()}")


def put_in_use(server: QdrantServer, prefix: str, place: Place) -> None:
    """Move the alias, in one step, and remove every other index of this prefix."""
    gone = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=prefix))
    operations = [gone] if _named(server, prefix) is not None else []
    with server.asked() as client:
        client.update_collection_aliases([*operations, _create(prefix, place)])
        names = [collection.name for collection in client.get_collections().collections]
    for name in names:
        if _belongs(name, prefix) and name not in (place.segments, place.changes):
            with suppress(CollectionGone), server.asked() as client:
                client.delete_collection(name)


def make(server: QdrantServer, place: Place, layout: Layout) -> None:
    """Make both collections, empty; what another process has made in the meantime stays."""
    most = layout.replicas // 2 + 1
    with suppress(AlreadyThere), server.asked() as client:
        client.create_collection(
            place.changes,
            vectors_config={},
            shard_number=1,
            replication_factor=layout.replicas,
            write_consistency_factor=most,
        )
    with suppress(AlreadyThere), server.asked() as client:
        client.create_collection(
            place.segments,
            vectors_config={},
            sparse_vectors_config={KEYWORDS: models.SparseVectorParams(modifier=models.Modifier.IDF)},
            shard_number=layout.shards,
            quantization_config=_quantization() if layout.quantized else None,
            on_disk_payload=True,
            replication_factor=layout.replicas,
            write_consistency_factor=most,
        )
    if server.local:  # which looks at everything
        return
    with server.asked() as client:
        client.create_payload_index(place.changes, "asset_id", _PLAIN)
        for field, schema in _INDEXED.items():
            client.create_payload_index(place.segments, field, schema)


def make_space(server: QdrantServer, place: Place, name: str, dim: int) -> None:
    """Make room for vectors of a lane; nothing happens where it is there."""
    dense = models.DenseVectorConfig(size=dim, distance=models.Distance.DOT)
    with suppress(AlreadyThere), server.asked() as client:
        client.create_vector_name(place.segments, name, models.DenseVectorNameConfig(dense=dense))


def _quantization() -> models.ScalarQuantization:
    config = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, memory=models.Memory.PINNED)
    return models.ScalarQuantization(scalar=config)


def _named(server: QdrantServer, prefix: str) -> Place | None:
    with server.asked() as client:
        aliases = client.get_aliases().aliases
    return next((Place(alias.collection_name) for alias in aliases if alias.alias_name == prefix), None)


def _create(prefix: str, place: Place) -> models.CreateAliasOperation:
    alias = models.CreateAlias(collection_name=place.segments, alias_name=prefix)
    return models.CreateAliasOperation(create_alias=alias)


def _belongs(name: str, prefix: str) -> bool:
    stamp, _, log = name.removeprefix(f"{prefix}-").partition("-")
    return name.startswith(f"{prefix}-") and stamp.isdigit() and log in ("", "changes")
