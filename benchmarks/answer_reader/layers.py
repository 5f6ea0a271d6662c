"""Layers of multilingual-e5-small in torch, for training: what is frozen, and low-rank updates of it.

`indexer/encoders/multilingual_e5/graph.py` builds the same for ONNX Runtime; `benchmarks/tests` hold the two together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from indexer.encoders.multilingual_e5.tuning import Tuning
from indexer.encoders.multilingual_e5.weights_file import WeightsFile

_UPDATE_SCALE = 2.0
"""Source: Hu et al. 2021 (LoRA), alpha over rank; it only scales the learning rate of the updates."""


class Linear(nn.Module):
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


class Norm(nn.Module):
    """Layer normalization; trained where the layer is."""

    def __init__(self, weights: WeightsFile, name: str, trained: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(np.array(weights.vector(f"{name}.w"))), requires_grad=trained)
        self.bias = nn.Parameter(torch.from_numpy(np.array(weights.vector(f"{name}.b"))), requires_grad=trained)
        self.epsilon = weights.sizes.norm_epsilon

    def forward(self, states: Tensor) -> Tensor:
        return functional.layer_norm(states, self.weight.shape, self.weight, self.bias, self.epsilon)


class EncoderLayer(nn.Module):
    """An encoder layer: attention and feed-forward, each with its residual and normalization."""

    def __init__(self, weights: WeightsFile, number: int, rank: int, frozen_type: torch.dtype) -> None:
        super().__init__()
        width, name = weights.sizes.width, f"l{number}"
        self.heads = weights.sizes.heads
        self.q, self.k, self.v, self.ao = (
            Linear(weights, f"{name}.{part}", width, rank, frozen_type) for part in ("q", "k", "v", "ao")
        )
        self.fi = Linear(weights, f"{name}.fi", weights.sizes.inner_width, rank, frozen_type)
        self.fo = Linear(weights, f"{name}.fo", width, 0, frozen_type)
        self.aln, self.oln = (Norm(weights, f"{name}.{part}", bool(rank)) for part in ("aln", "oln"))

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


def load_layers(layers: nn.ModuleList, first_layer: int, tuning: Tuning) -> None:
    """Take what was trained of some layers. Errors: KeyError (a layer is not there); ValueError (shape)."""
    with torch.no_grad():
        for number, layer in enumerate(layers, first_layer):
            for name, module in layer.named_children():
                if isinstance(module, Norm):
                    fill(module.weight, tuning.vectors[f"l{number}.{name}.w"])
                    fill(module.bias, tuning.vectors[f"l{number}.{name}.b"])
                elif isinstance(module, Linear) and module.rank:
                    down, up = tuning.updates[f"l{number}.{name}.w"]
                    fill(module.down, down)
                    fill(module.up, up / _UPDATE_SCALE)


def save_layers(layers: nn.ModuleList, first_layer: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield what was trained of some layers, by the names that `load_tuning` knows; updates in half precision."""
    for number, layer in enumerate(layers, first_layer):
        for name, module in layer.named_children():
            if isinstance(module, Norm):
                yield f"l{number}.{name}.w", to_array(module.weight)
                yield f"l{number}.{name}.b", to_array(module.bias)
            elif isinstance(module, Linear) and module.rank:
                yield f"l{number}.{name}.w.down", to_array(module.down).astype(np.float16)
                yield f"l{number}.{name}.w.up", (_UPDATE_SCALE * to_array(module.up)).astype(np.float16)


def fill(parameter: Tensor, values: np.ndarray) -> None:
    """Set a parameter to what a file holds. Errors: ValueError where it has another shape."""
    if parameter.shape != values.shape:
        raise ValueError(f"weights of {values.shape} cannot go on as {tuple(parameter.shape)}")
    parameter.copy_(torch.from_numpy(values))


def to_array(parameter: Tensor) -> np.ndarray:
    """Return a parameter as a float32 array."""
    return np.ascontiguousarray(parameter.detach().float().numpy())
