"""The answer reader in torch, for training: the upper layers of multilingual-e5-small with low-rank updates.

`services/reading/multilingual_e5.py` runs the same on ONNX Runtime; `benchmarks/tests` hold the two together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional

from indexer.encoders.multilingual_e5.parts import ModelParts
from indexer.encoders.multilingual_e5.weights_file import WeightsFile
from services.reading.multilingual_e5 import TokenizedPassage
from services.reading.reader_weights import load_reader_weights

_UPDATE_SCALE = 2.0
"""Source: Hu et al. 2021 (LoRA), alpha over rank; it only scales the learning rate of the updates."""
_INITIAL_COSINE, _INITIAL_LATE = 20.0, 10.0
"""Chosen: scores begin as the encoder's own similarity, spread over a few units of a logit."""
_TYPICAL_COSINE = 0.8
"""Chosen: about the cosine of unrelated states, so that scores begin near 0."""
_INITIAL_KIND = 0.02
"""Chosen: small beside hidden states of about 1."""


class _Linear(nn.Module):
    """A frozen linear layer, multiplied in `frozen_type`, with a low-rank update (none where `rank` is 0)."""

    def __init__(self, weights: WeightsFile, name: str, rows: int, rank: int, frozen_type: torch.dtype) -> None:
        super().__init__()
        matrix = torch.from_numpy(weights.matrix(f"{name}.w", rows).dequantize()).to(frozen_type)
        bias = torch.from_numpy(np.array(weights.vector(f"{name}.b")))
        self.weight, self.bias = (nn.Parameter(values, requires_grad=False) for values in (matrix, bias))
        self.rank = rank
        if rank:
            self.down = nn.Parameter(torch.randn(rank, matrix.shape[1]) / math.sqrt(matrix.shape[1]))
            self.up = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, states: Tensor) -> Tensor:
        result = functional.linear(states.to(self.weight.dtype), self.weight).float() + self.bias
        if not self.rank:
            return result
        return result + functional.linear(functional.linear(states, self.down), self.up) * _UPDATE_SCALE


class _Norm(nn.Module):
    """Layer normalization; trained where the layer is."""

    def __init__(self, weights: WeightsFile, name: str, trained: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(np.array(weights.vector(f"{name}.w"))), requires_grad=trained)
        self.bias = nn.Parameter(torch.from_numpy(np.array(weights.vector(f"{name}.b"))), requires_grad=trained)
        self.epsilon = weights.sizes.norm_epsilon

    def forward(self, states: Tensor) -> Tensor:
        return functional.layer_norm(states, self.weight.shape, self.weight, self.bias, self.epsilon)


class _Layer(nn.Module):
    """An encoder layer: attention and feed-forward, each with its residual and normalization."""

    def __init__(self, weights: WeightsFile, number: int, rank: int, frozen_type: torch.dtype) -> None:
        super().__init__()
        width, name = weights.sizes.width, f"l{number}"
        self.heads = weights.sizes.heads
        self.q, self.k, self.v, self.ao = (
            _Linear(weights, f"{name}.{part}", width, rank, frozen_type) for part in ("q", "k", "v", "ao")
        )
        self.fi = _Linear(weights, f"{name}.fi", weights.sizes.inner_width, rank, frozen_type)
        self.fo = _Linear(weights, f"{name}.fo", width, 0, frozen_type)
        self.aln, self.oln = (_Norm(weights, f"{name}.{part}", bool(rank)) for part in ("aln", "oln"))

    def forward(self, states: Tensor, lengths: Sequence[int]) -> Tensor:
        """Return the next states of texts in a row, `[tokens, width]`; `lengths` are their tokens."""
        parts = [part(states).view(len(states), self.heads, -1).split(lengths) for part in (self.q, self.k, self.v)]
        attended = torch.cat([_attend(*text) for text in zip(*parts, strict=True)])
        states = self.aln(self.ao(attended) + states)
        result: Tensor = self.oln(self.fo(functional.gelu(self.fi(states))) + states)
        return result


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return the attention of a text to itself; all are `[tokens, heads, width of a head]`."""
    query, key, value = (each.transpose(0, 1) for each in (query, key, value))
    weights = torch.softmax(query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5, -1)
    return (weights @ value).transpose(0, 1).flatten(1)


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
            _Layer(parts.weights, number, rank, frozen_type) for number in range(first_layer, sizes.layers)
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
        with torch.no_grad():
            for number, layer in enumerate(self.layers, self.first_layer):
                for name, module in layer.named_children():
                    if isinstance(module, _Norm):
                        _fill(module.weight, weights.tuning.vectors[f"l{number}.{name}.w"])
                        _fill(module.bias, weights.tuning.vectors[f"l{number}.{name}.b"])
                    elif isinstance(module, _Linear) and module.rank:
                        down, up = weights.tuning.updates[f"l{number}.{name}.w"]
                        _fill(module.down, down)
                        _fill(module.up, up / _UPDATE_SCALE)
            constant = weights.bias + _TYPICAL_COSINE * (weights.cosine_weight + weights.late_weight)
            _fill(self.kinds, weights.kinds)
            _fill(self.mean.weight, weights.mean_weight[None])
            _fill(self.token.weight, weights.token_weight[None])
            for parameter, value in ((self.mean.bias, constant), (self.cosine, weights.cosine_weight)):
                parameter.fill_(value)
            self.late.fill_(weights.late_weight)

    def save(self, path: Path) -> None:
        """Write what was trained as the product's file of weights, the updates in half precision."""
        tensors: dict[str, np.ndarray] = {}
        for number, layer in enumerate(self.layers, self.first_layer):
            for name, module in layer.named_children():
                if isinstance(module, _Norm):
                    tensors[f"l{number}.{name}.w"], tensors[f"l{number}.{name}.b"] = (
                        _array(module.weight),
                        _array(module.bias),
                    )
                elif isinstance(module, _Linear) and module.rank:
                    tensors[f"l{number}.{name}.w.down"] = _array(module.down).astype(np.float16)
                    tensors[f"l{number}.{name}.w.up"] = (_UPDATE_SCALE * _array(module.up)).astype(np.float16)
        cosine, late, constant = (value.item() for value in (self.cosine, self.late, self.mean.bias))
        bias = constant - _TYPICAL_COSINE * (cosine + late)
        tensors |= {
            "kinds": _array(self.kinds),
            "mean": _array(self.mean.weight)[0],
            "token": _array(self.token.weight)[0],
        }
        tensors["scalars"] = np.array([cosine, late, bias], np.float32)
        save_file(tensors, path, metadata={"first_layer": str(self.first_layer)})


def _fill(parameter: Tensor, values: np.ndarray) -> None:
    if parameter.shape != values.shape:
        raise ValueError(f"weights of {values.shape} cannot go on as {tuple(parameter.shape)}")
    parameter.copy_(torch.from_numpy(values))


def _array(parameter: Tensor) -> np.ndarray:
    return np.ascontiguousarray(parameter.detach().float().numpy())
