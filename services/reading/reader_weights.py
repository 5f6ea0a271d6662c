"""Trained weights of the answer reader: updates of the upper layers, and the scoring of units by their states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from indexer.encoders.multilingual_e5.tuning import Tuning, parse_tuning
from indexer.errors import ModelError

_Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ReaderWeights:
    """What training made: `tuning` of the layers from `first_layer` on, and the scoring.

    `kinds` `[2, width]` is added to the states of the question and to those of the passage. A unit's score is the sum
    of a linear function of its mean state, the best of its tokens by another one, its cosine to the mean of the
    question, how well each token of the question finds one like it in the unit (late interaction), and a constant.
    """

    first_layer: int
    tuning: Tuning
    kinds: _Array
    mean_weight: _Array
    token_weight: _Array
    cosine_weight: float
    late_weight: float
    bias: float

    def score_units(self, question: _Array, passage: _Array, units: Sequence[tuple[int, int]]) -> list[float]:
        """Return the score of each unit, given as tokens `[start, end)` of a passage.

        `question` and `passage` are upper states, `[tokens, width]`; the question's first and last tokens are marks.
        """
        direction = _normalize(question.mean(axis=0))
        similarities = _normalize(question[1:-1]) @ _normalize(passage).T
        token_scores = passage @ self.token_weight
        scores = []
        for start, end in units:
            mean = passage[start:end].mean(axis=0)
            late = similarities[:, start:end].max(axis=1).mean()
            score = mean @ self.mean_weight + token_scores[start:end].max() + self.bias
            score += self.cosine_weight * (_normalize(mean) @ direction) + self.late_weight * late
            scores.append(float(score))
        return scores


def load_reader_weights(path: Path) -> ReaderWeights:
    """Load a file of weights. Errors: ModelError where it is missing or damaged."""
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
            first_layer = int(file.metadata()["first_layer"])
        return _assemble(first_layer, tensors)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error


def _assemble(first_layer: int, tensors: dict[str, _Array]) -> ReaderWeights:
    cosine, late, bias = (float(value) for value in tensors["scalars"])
    return ReaderWeights(
        first_layer,
        parse_tuning(tensors),
        tensors["kinds"],
        tensors["mean"],
        tensors["token"],
        cosine,
        late,
        bias,
    )


def _normalize(rows: _Array) -> _Array:
    """Return vectors along the last axis at length 1."""
    normalized: _Array = rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
    return normalized
