"""Sentence encoder multilingual-e5-small on ONNX Runtime; its weights are an installed package."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.encoders.multilingual_e5.parts import (
    MODEL_NAME,
    PASSAGE_PREFIX,
    QUERY_PREFIX,
    LayerSession,
    ModelParts,
    find_weights,
    open_parts,
)
from indexer.encoders.multilingual_e5.tuning import load_tuning
from indexer.encoders.weights import fingerprint
from indexer.types import Vectors

QUERY_TUNING = Path(__file__).with_name("query_tuning.safetensors")
"""What was trained of the layers that embed queries (`python -m benchmarks.query_encoder.train`, decision 0124)."""
_GRAPH_VERSION = "1"
"""Form: counts changes of the graph that change embeddings; part of the model's id."""


@dataclass(frozen=True, slots=True)
class _LoadedModel:
    parts: ModelParts
    passages: LayerSession
    queries: LayerSession


class MultilingualE5Encoder:
    """`SentenceEncoder` for about a hundred languages, loaded at first use, thread-safely; rows have 384 dimensions.

    A text longer than 512 tokens is cut. Texts are encoded one by one, each on one of `threads` threads, which costs no
    more than batches do and no padding (decision 0109); equal texts are encoded once. Passages are embedded by the
    weights as they were published, queries by those with `query_tuning`, which was trained towards them (None: as
    published too). Errors, at first use: ModelError.
    Source: Wang et al. 2024, "Multilingual E5 Text Embeddings" (arXiv 2402.05672).
    """

    def __init__(self, query_tuning: Path | None = QUERY_TUNING, threads: int = 1) -> None:
        self._query_tuning = query_tuning
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="sentences")
        self._lock = threading.Lock()
        self._model: _LoadedModel | None = None

    @cached_property
    def model_id(self) -> str:
        """Identifier of model, weights and graph."""
        return f"e5:{MODEL_NAME}@{fingerprint([find_weights()])}-{_GRAPH_VERSION}"

    @cached_property
    def query_model_id(self) -> str:
        """Identifier of model, weights, graph, and what was trained for queries."""
        tuned = "" if self._query_tuning is None else f"+{fingerprint([self._query_tuning])}"
        return f"{self.model_id}{tuned}"

    @cached_property
    def dim(self) -> int:
        """Width of an embedding."""
        return self._load().parts.weights.sizes.width

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Embed passages, `[n, dim]` in their order."""
        return self._encode(self._load().passages, [PASSAGE_PREFIX + text for text in texts])

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed what is asked or looked for, `[n, dim]` in their order."""
        return self._encode(self._load().queries, [QUERY_PREFIX + text for text in texts])

    def _encode(self, layers: LayerSession, texts: Sequence[str]) -> Vectors:
        parts = self._load().parts
        distinct = list(dict.fromkeys(texts))
        ids = parts.tokenizer.encode(distinct)
        embedded = self._pool.map(lambda tokens: _embed(layers, parts.embed_tokens(tokens)), ids)
        vectors = dict(zip(distinct, embedded, strict=True))
        rows = [vectors[text] for text in texts]
        return np.stack(rows) if rows else np.empty((0, self.dim), dtype=np.float32)

    def _load(self) -> _LoadedModel:
        with self._lock:
            if self._model is None:
                parts = open_parts(find_weights())
                passages = queries = LayerSession(parts)
                if self._query_tuning is not None:
                    queries = LayerSession(parts, tuning=load_tuning(self._query_tuning))
                self._model = _LoadedModel(parts, passages, queries)
            return self._model


def _embed(layers: LayerSession, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of the last hidden states of a text, normalised to length 1."""
    mean: NDArray[np.float32] = layers.run(embeddings).mean(axis=0)
    return mean / np.linalg.norm(mean)
