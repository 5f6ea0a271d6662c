"""Sentence encoder multilingual-e5-small on ONNX Runtime; its weights are an installed package."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

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
from indexer.encoders.weights import fingerprint
from indexer.types import Vectors

_GRAPH_VERSION = "1"
"""Form: counts changes of the graph that change embeddings; part of the model's id."""


@dataclass(frozen=True, slots=True)
class _LoadedModel:
    parts: ModelParts
    layers: LayerSession


class MultilingualE5Encoder:
    """`SentenceEncoder` for about a hundred languages, loaded at first use, thread-safely; rows have 384 dimensions.

    A text longer than 512 tokens is cut. Texts are encoded one by one on one thread, which costs no more than batches
    do and no padding (decision 0109); equal texts are encoded once. Errors, at first use: ModelError.
    Source: Wang et al. 2024, "Multilingual E5 Text Embeddings" (arXiv 2402.05672).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model: _LoadedModel | None = None

    @cached_property
    def model_id(self) -> str:
        """Identifier of model, weights and graph."""
        return f"e5:{MODEL_NAME}@{fingerprint([find_weights()])}-{_GRAPH_VERSION}"

    @cached_property
    def dim(self) -> int:
        """Width of an embedding."""
        return self._load().parts.weights.sizes.width

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Embed passages, `[n, dim]` in their order."""
        return self._encode([PASSAGE_PREFIX + text for text in texts])

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed what is asked or looked for, `[n, dim]` in their order."""
        return self._encode([QUERY_PREFIX + text for text in texts])

    def _encode(self, texts: Sequence[str]) -> Vectors:
        model = self._load()
        distinct = list(dict.fromkeys(texts))
        ids = model.parts.tokenizer.encode(distinct)
        vectors = {text: _embed(model, tokens) for text, tokens in zip(distinct, ids, strict=True)}
        rows = [vectors[text] for text in texts]
        return np.stack(rows) if rows else np.empty((0, self.dim), dtype=np.float32)

    def _load(self) -> _LoadedModel:
        with self._lock:
            if self._model is None:
                parts = open_parts(find_weights())
                self._model = _LoadedModel(parts, LayerSession(parts))
            return self._model


def _embed(model: _LoadedModel, tokens: Sequence[int]) -> NDArray[np.float32]:
    """Return the mean of the last hidden states of a text, normalised to length 1."""
    hidden = model.layers.run(model.parts.embed_tokens(tokens))
    mean: NDArray[np.float32] = hidden.mean(axis=0)
    return mean / np.linalg.norm(mean)
