"""Vectors of the null queries, kept in the blob store: they change with the model alone, not with the index."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

import numpy as np

from indexer.errors import ArtifactError, BlobStoreUnavailable, StorageFull
from indexer.ports import BlobStore, ImageTextEncoder, SentenceEncoder
from indexer.types import Lane, Vectors
from services.search.null_queries import (
    DEFAULT_LANGUAGE,
    digest_null_queries,
    load_null_queries,
    load_null_scenes,
    make_null_pictures,
)

T = TypeVar("T")
NULL_PICTURES = 32
"""Chosen: four of each of the scales and kinds of pattern that `make_null_pictures` has."""
_BLOB_KEY = "null_vectors.npz"
_MADE_OF = "made_of"
_PICTURES = "pictures"
_ENCODE_BATCH = 8
"""Chosen: few null queries are encoded together, so that calibration takes no more memory than indexing did."""


class NullVectors:
    """Vectors `[queries, dim]` of null queries, by lane and language. Encoded at first use of a model, then stored."""

    def __init__(self, model_ids: Mapping[str, str], blobs: BlobStore) -> None:
        self._made_of = f"{digest_null_queries()} {sorted(model_ids.items())}"
        self._blobs = blobs
        self._vectors: dict[str, Vectors] | None = None
        self._has_new = False

    def encode_queries(self, encoder: SentenceEncoder, language: str) -> Vectors:
        """Return the vectors of the null queries in a language for the text lane."""
        return self._encode(f"{Lane.TEXT}-{language}", encoder.encode_queries, lambda: load_null_queries(language))

    def encode_scenes(self, encoder: ImageTextEncoder, language: str) -> Vectors:
        """Return the vectors of the null scenes for the visual lane; of null queries, where there are no scenes."""
        load = load_null_scenes if language == DEFAULT_LANGUAGE else lambda: load_null_queries(language)
        return self._encode(f"{Lane.VISUAL}-{language}", encoder.encode_texts, load)

    def encode_pictures(self, encoder: ImageTextEncoder) -> Vectors:
        """Return the vectors of the null pictures for the visual lane."""
        return self._encode(_PICTURES, encoder.encode_images, lambda: make_null_pictures(NULL_PICTURES))

    def store(self) -> None:
        """Keep the vectors that are new, where the blob store can be written."""
        if self._has_new and self._vectors is not None:
            content = io.BytesIO()
            np.savez(content, allow_pickle=False, **self._vectors, **{_MADE_OF: np.array(self._made_of)})
            with suppress(StorageFull, BlobStoreUnavailable):
                self._blobs.put(_BLOB_KEY, content.getvalue())
            self._has_new = False

    def _encode(self, name: str, encode: Callable[[Sequence[T]], Vectors], load: Callable[[], Sequence[T]]) -> Vectors:
        if self._vectors is None:
            self._vectors = self._load_stored()
        if name not in self._vectors:
            nulls = load()
            batches = [encode(nulls[first : first + _ENCODE_BATCH]) for first in range(0, len(nulls), _ENCODE_BATCH)]
            self._vectors[name] = np.concatenate(batches)
            self._has_new = True
        return self._vectors[name]

    def _load_stored(self) -> dict[str, Vectors]:
        try:
            with np.load(io.BytesIO(self._blobs.get(_BLOB_KEY)), allow_pickle=False) as stored:
                vectors = dict(stored)
        except (ArtifactError, OSError, ValueError, EOFError, zipfile.BadZipFile):
            return {}
        return vectors if str(vectors.pop(_MADE_OF, "")) == self._made_of else {}
