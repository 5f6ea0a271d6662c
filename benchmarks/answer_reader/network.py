"""The answer reader in torch, for training: the upper layers of multilingual-e5-small with low-rank updates.

`services/reading/multilingual_e5.py` runs the same on ONNX Runtime; `benchmarks/tests` hold the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.answer_reader.layers import EncoderLayer, fill, load_layers, save_layers, to_array
from indexer.encoders.multilingual_e5.parts import ModelParts
from services.reading.multilingual_e5 import TokenizedPassage
from services.reading.reader_weights import load_reader_weights

_INITIAL_COSINE, _INITIAL_LATE = 20.0, 10.0
"""Chosen: scores begin as the encoder's own similarity, spread over a few units of a logit."""
_TYPICAL_COSINE = 0.8
"""Chosen: about the cosine of unrelated states, so that scores begin near 0."""
_INITIAL_KIND = 0.02
"""Chosen: small beside hidden states of about 1."""


class UpperLayers(nn.Module):
    """The trained upper layers, which read question and passage together, and the scoring of units.

    What is frozen is multiplied in `frozen_type`; states and what is trained are float32.
    """

    def __init__(
        self, parts: ModelParts, first_layer: int, rank: int, frozen_type: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        sizes = parts.weights.sizes
        self.first_layer = first_layer
        self.layers = nn.ModuleList(
            EncoderLayer(parts.weights, number, rank, frozen_type) for number in range(first_layer, sizes.layers)
        )
        self.kinds = nn.Parameter(torch.randn(2, sizes.width) * _INITIAL_KIND)
        self.mean, self.token = nn.Linear(sizes.width, 1), nn.Linear(sizes.width, 1, bias=False)
        self.cosine, self.late = nn.Parameter(torch.tensor(_INITIAL_COSINE)), nn.Parameter(torch.tensor(_INITIAL_LATE))

    def forward(self, question: Tensor, passages: Sequence[Tensor], tokenized: Sequence[TokenizedPassage]) -> Tensor:
        """Return the scores of all units of some passages, from the lower states of question and passages."""
        asked = question + self.kinds[0]
        pairs = [torch.cat([asked, passage + self.kinds[1]]) for passage in passages]
        lengths = [len(pair) for pair in pairs]
        states = torch.cat(pairs)
        for layer in self.layers:
            states = layer(states, lengths)
        read = zip(torch.split(states, lengths), tokenized, strict=True)
        return torch.cat([self._score(pair[: len(asked)], pair[len(asked) :], each.tokens) for pair, each in read])

    def _score(self, question: Tensor, passage: Tensor, units: Sequence[tuple[int, int]]) -> Tensor:
        token_scores = self.token(passage)[:, 0]
        direction = functional.normalize(question.mean(0), dim=-1)
        similarities = functional.normalize(question[1:-1], dim=-1) @ functional.normalize(passage, dim=-1).T
        means = torch.stack([passage[start:end].mean(0) for start, end in units])
        cosines = functional.normalize(means, dim=-1) @ direction - _TYPICAL_COSINE
        late = torch.stack([similarities[:, start:end].amax(1).mean() for start, end in units]) - _TYPICAL_COSINE
        best = torch.stack([token_scores[start:end].max() for start, end in units])
        score: Tensor = self.mean(means)[:, 0] + best + self.cosine * cosines + self.late * late
        return score

    def load(self, path: Path) -> None:
        """Take what was trained from the product's file of weights. Errors: ModelError; ValueError (shape)."""
        weights = load_reader_weights(path)
        load_layers(self.layers, self.first_layer, weights.tuning)
        with torch.no_grad():
            constant = weights.bias + _TYPICAL_COSINE * (weights.cosine_weight + weights.late_weight)
            fill(self.kinds, weights.kinds)
            fill(self.mean.weight, weights.mean_weight[None])
            fill(self.token.weight, weights.token_weight[None])
            for parameter, value in ((self.mean.bias, constant), (self.cosine, weights.cosine_weight)):
                parameter.fill_(value)
            self.late.fill_(weights.late_weight)

    def save(self, path: Path) -> None:
        """Write what was trained as the product's file of weights, the updates in half precision."""
        tensors = dict(save_layers(self.layers, self.first_layer))
        cosine, late, constant = (value.item() for value in (self.cosine, self.late, self.mean.bias))
        bias = constant - _TYPICAL_COSINE * (cosine + late)
        tensors |= {
            "kinds": to_array(self.kinds),
            "mean": to_array(self.mean.weight)[0],
            "token": to_array(self.token.weight)[0],
        }
        tensors["scalars"] = np.array([cosine, late, bias], np.float32)
        save_file(tensors, path, metadata={"first_layer": str(self.first_layer)})
