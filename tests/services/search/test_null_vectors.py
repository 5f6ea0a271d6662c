"""Vectors of null queries: encoded once for a model, whatever the index does; a damaged store is encoded anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from indexer.storage.folder_blobs import FolderBlobs
from indexer.types import Vectors
from services.search.null_queries import load_null_queries
from services.search.null_vectors import NullVectors


class _CountingEncoder:
    dim = 4

    def __init__(self) -> None:
        self.texts = 0

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        return np.array([[len(text), 1, 2, 3] for text in texts], np.float32)


def test_null_queries_are_encoded_once_for_a_model_and_again_for_another(tmp_path: Path) -> None:
    encoder, blobs = _CountingEncoder(), FolderBlobs(tmp_path)
    first = _encode({"text": "small"}, blobs, encoder)
    count = len(load_null_queries("ko"))
    assert encoder.texts == len(first) == count
    assert np.array_equal(_encode({"text": "small"}, blobs, encoder), first)
    assert encoder.texts == count
    _encode({"text": "large"}, blobs, encoder)
    assert encoder.texts == 2 * count


def test_a_damaged_file_of_vectors_is_made_again(tmp_path: Path) -> None:
    encoder, blobs = _CountingEncoder(), FolderBlobs(tmp_path)
    first = _encode({}, blobs, encoder)
    (stored,) = blobs.list_keys("")
    for content in (b"", b"PK nothing", blobs.get(stored)[:-40]):
        blobs.put(stored, content)
        assert np.array_equal(_encode({}, blobs, encoder), first)
    assert encoder.texts == 4 * len(first)


def _encode(model_ids: dict[str, str], blobs: FolderBlobs, encoder: _CountingEncoder) -> Vectors:
    vectors = NullVectors(model_ids, blobs)
    try:
        return vectors.encode_queries(encoder, "ko")
    finally:
        vectors.store()
