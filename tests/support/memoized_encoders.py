"""Encoders that remember what they encoded: calibration puts the same null queries to every index that a test makes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from indexer.encoders.open_clip import OpenClipEncoder, TowerForward
from indexer.ports import SentenceEncoder
from indexer.types import Pixels, Vectors


class MemoizedSentenceEncoder:
    """SentenceEncoder that encodes each batch once; batches and not texts, since a batch may change the last bits."""

    def __init__(self, encoder: SentenceEncoder) -> None:
        self._encoder = encoder
        self._passages: dict[tuple[str, ...], Vectors] = {}
        self._queries: dict[tuple[str, ...], Vectors] = {}

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Embed passages, `[n, dim]` in their order."""
        key = tuple(texts)
        if key not in self._passages:
            self._passages[key] = self._encoder.encode(texts)
        return self._passages[key].copy()

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed queries, `[n, dim]` in their order."""
        key = tuple(texts)
        if key not in self._queries:
            self._queries[key] = self._encoder.encode_queries(texts)
        return self._queries[key].copy()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever else the encoder has)
        return getattr(self._encoder, name)


class MemoizedOpenClipEncoder(OpenClipEncoder):
    """OpenClipEncoder that encodes each batch once, where its tower's own forward pass is run."""

    def __init__(self, model: str, *, device: str, batch_size: int, threads: int) -> None:
        super().__init__(model, device=device, batch_size=batch_size, threads=threads)
        self._text_vectors: dict[tuple[str, ...], Vectors] = {}
        self._image_vectors: dict[bytes, Vectors] = {}

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed texts, `[n, dim]` in their order."""
        key = tuple(texts)
        if key not in self._text_vectors:
            self._text_vectors[key] = super().encode_texts(texts)
        return self._text_vectors[key].copy()

    def encode_images(self, pictures: Sequence[Pixels], forward: TowerForward | None = None) -> Vectors:
        """Embed pictures, `[n, dim]` in their order; they are known again by a hash of their pixels."""
        if forward is not None:
            return super().encode_images(pictures, forward)
        digest = hashlib.sha256()
        for picture in pictures:
            digest.update(repr(picture.shape).encode() + picture.tobytes())
        key = digest.digest()
        if key not in self._image_vectors:
            self._image_vectors[key] = super().encode_images(pictures)
        return self._image_vectors[key].copy()
