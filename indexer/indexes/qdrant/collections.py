"""Qdrant collections of an index: their creation, and the alias that names the pair in use.

`PREFIX-STAMP` has the segments, `PREFIX-STAMP-changes` the commit log (see `commit_log`). The alias `PREFIX` names the
pair in use; it is moved in one step.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

from qdrant_client import models

from indexer.indexes.qdrant.connection import QdrantCollectionExists, QdrantCollectionMissing, QdrantConnection

KEYWORDS_VECTOR = "keywords"
"""Name of the sparse vector of the keywords lane."""

_INT8_QUANTILE = 0.99
"""Chosen: values beyond this quantile are clipped in int8 copies; a lower one clips more, and rounds the rest less."""

_KEYWORD_INDEX = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD)
_TERMS_INDEX = models.KeywordIndexParams(
    type=models.KeywordIndexType.KEYWORD, memory=models.Memory.COLD, enable_hnsw=False
)
_LOOKUP_INDEX = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, enable_hnsw=False)
_FLOAT_INDEX = models.FloatIndexParams(type=models.FloatIndexType.FLOAT)
_PAYLOAD_INDEXES: dict[str, models.KeywordIndexParams | models.FloatIndexParams] = {
    "asset_id": _KEYWORD_INDEX,
    "kind": _KEYWORD_INDEX,
    "collections": _KEYWORD_INDEX,
    "put": _LOOKUP_INDEX,
    "terms": _TERMS_INDEX,
    "file_time": _FLOAT_INDEX,
    "start_s": _FLOAT_INDEX,
    "end_s": _FLOAT_INDEX,
}


@dataclass(frozen=True, slots=True)
class CollectionOptions:
    """Options of new collections.

    `quantized` searches int8 copies of the vectors, pinned in memory, and rescores by the vectors themselves; `shards`
    are distributed over the nodes of a cluster, each `replicas` times.
    """

    quantized: bool = False
    shards: int = 1
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class CollectionPair:
    """Names of the two collections of an index: segments, and commit log."""

    segments: str

    @property
    def log(self) -> str:
        """Name of the collection of the commit log."""
        return f"{self.segments}-changes"


def ensure_active_pair(connection: QdrantConnection, prefix: str, options: CollectionOptions) -> CollectionPair:
    """Return the collections that the alias names, after creating them if there are none."""
    active = _aliased_pair(connection, prefix)
    if active is not None:
        return active
    first = CollectionPair(f"{prefix}-0")
    create_collections(connection, first, options)
    with suppress(QdrantCollectionExists), connection.client() as client:
        client.update_collection_aliases([_create_alias(prefix, first)])
    return _aliased_pair(connection, prefix) or first


def new_pair(prefix: str) -> CollectionPair:
    """Return unused names for a pair of collections."""
    return CollectionPair(f"{prefix}-{time.time_ns()}")


def activate_pair(connection: QdrantConnection, prefix: str, pair: CollectionPair) -> None:
    """Move the alias to a pair in one step, and delete all other collections of this prefix."""
    delete_alias = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=prefix))
    operations = [delete_alias] if _aliased_pair(connection, prefix) is not None else []
    with connection.client() as client:
        client.update_collection_aliases([*operations, _create_alias(prefix, pair)])
        names = [collection.name for collection in client.get_collections().collections]
    for name in names:
        if _belongs_to_prefix(name, prefix) and name not in (pair.segments, pair.log):
            with suppress(QdrantCollectionMissing), connection.client() as client:
                client.delete_collection(name)


def create_collections(connection: QdrantConnection, pair: CollectionPair, options: CollectionOptions) -> None:
    """Create both collections with their payload indexes; keep those that another process has just created."""
    write_quorum = options.replicas // 2 + 1
    with suppress(QdrantCollectionExists), connection.client() as client:
        client.create_collection(
            pair.log,
            vectors_config={},
            shard_number=1,
            replication_factor=options.replicas,
            write_consistency_factor=write_quorum,
        )
    with suppress(QdrantCollectionExists), connection.client() as client:
        client.create_collection(
            pair.segments,
            vectors_config={},
            sparse_vectors_config={KEYWORDS_VECTOR: models.SparseVectorParams(modifier=models.Modifier.IDF)},
            shard_number=options.shards,
            quantization_config=_quantization() if options.quantized else None,
            on_disk_payload=True,
            replication_factor=options.replicas,
            write_consistency_factor=write_quorum,
        )
    if connection.is_local:  # local mode scans all points
        return
    with connection.client() as client:
        client.create_payload_index(pair.log, "asset_id", _LOOKUP_INDEX)
        for field, schema in _PAYLOAD_INDEXES.items():
            client.create_payload_index(pair.segments, field, schema)


def create_vector_space(connection: QdrantConnection, pair: CollectionPair, name: str, dim: int) -> None:
    """Create the named vector of a lane, if missing (decision 0049)."""
    dense = models.DenseVectorConfig(size=dim, distance=models.Distance.DOT)
    with suppress(QdrantCollectionExists), connection.client() as client:
        client.create_vector_name(pair.segments, name, models.DenseVectorNameConfig(dense=dense))


def _quantization() -> models.ScalarQuantization:
    config = models.ScalarQuantizationConfig(
        type=models.ScalarType.INT8, quantile=_INT8_QUANTILE, memory=models.Memory.PINNED
    )
    return models.ScalarQuantization(scalar=config)


def _aliased_pair(connection: QdrantConnection, prefix: str) -> CollectionPair | None:
    with connection.client() as client:
        aliases = client.get_aliases().aliases
    return next((CollectionPair(alias.collection_name) for alias in aliases if alias.alias_name == prefix), None)


def _create_alias(prefix: str, pair: CollectionPair) -> models.CreateAliasOperation:
    alias = models.CreateAlias(collection_name=pair.segments, alias_name=prefix)
    return models.CreateAliasOperation(create_alias=alias)


def _belongs_to_prefix(name: str, prefix: str) -> bool:
    stamp, _, log = name.removeprefix(f"{prefix}-").partition("-")
    return name.startswith(f"{prefix}-") and stamp.isdigit() and log in ("", "changes")
