"""The answer reader in torch, for training: the layers of multilingual-e5-small, the upper ones with low-rank updates.

`services/reading/multilingual_e5.py` runs the same on ONNX Runtime; `tests/benchmarks` hold the two together.
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

COMPUTE_TYPE = torch.bfloat16
"""Chosen: twice as fast as float32 on processors that have it; what is trained is kept in float32."""
_UPDATE_SCALE = 2.0
"""Source: Hu et al. 2021 (LoRA), alpha over rank; it only scales the learning rate of the updates."""
_INITIAL_COSINE, _INITIAL_LATE = 20.0, 10.0
"""Chosen: scores begin as the encoder's own similarity, spread over a few units of a logit."""
_TYPICAL_COSINE = 0.8
"""Chosen: about the cosine of unrelated states, so that scores begin near 0."""
_INITIAL_KIND = 0.02
"""Chosen: small beside hidden states of about 1."""


class _Linear(nn.Module):
    """A frozen linear layer with a low-rank update (none where `rank` is 0)."""

    def __init__(self, weights: WeightsFile, name: str, rows: int, rank: int) -> None:
        super().__init__()
        matrix = torch.from_numpy(weights.matrix(f"{name}.w", rows).dequantize())
        bias = torch.from_numpy(np.array(weights.vector(f"{name}.b")))
        self.weight = nn.Parameter(matrix.to(COMPUTE_TYPE), requires_grad=False)
        self.bias = nn.Parameter(bias.to(COMPUTE_TYPE), requires_grad=False)
        self.rank = rank
        if rank:
            self.down = nn.Parameter(torch.randn(rank, matrix.shape[1]) / math.sqrt(matrix.shape[1]))
            self.up = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, states: Tensor) -> Tensor:
        result = functional.linear(states, self.weight, self.bias)
        if not self.rank:
            return result
        inner = functional.linear(states, self.down.to(COMPUTE_TYPE))
        return result + functional.linear(inner, self.up.to(COMPUTE_TYPE)) * _UPDATE_SCALE


class _Norm(nn.Module):
    """Layer normalization; trained where the layer is."""

    def __init__(self, weights: WeightsFile, name: str, trained: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(np.array(weights.vector(f"{name}.w"))), requires_grad=trained)
        self.bias = nn.Parameter(torch.from_numpy(np.array(weights.vector(f"{name}.b"))), requires_grad=trained)
        self.epsilon = weights.sizes.norm_epsilon

    def forward(self, states: Tensor) -> Tensor:
        weight, bias = self.weight.to(COMPUTE_TYPE), self.bias.to(COMPUTE_TYPE)
        return functional.layer_norm(states, weight.shape, weight, bias, self.epsilon)


class _Layer(nn.Module):
    """An encoder layer: attention and feed-forward, each with its residual and normalization."""

    def __init__(self, weights: WeightsFile, number: int, rank: int) -> None:
        super().__init__()
        width, name = weights.sizes.width, f"l{number}"
        self.heads = weights.sizes.heads
        self.q, self.k, self.v, self.ao = (
            _Linear(weights, f"{name}.{part}", width, rank) for part in ("q", "k", "v", "ao")
        )
        self.fi = _Linear(weights, f"{name}.fi", weights.sizes.inner_width, rank)
        self.fo = _Linear(weights, f"{name}.fo", width, 0)
        self.aln, self.oln = (_Norm(weights, f"{name}.{part}", bool(rank)) for part in ("aln", "oln"))

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        query, key, value = (self._split_heads(part(states)) for part in (self.q, self.k, self.v))
        weights = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        if mask is not None:
            weights = weights.masked_fill(~mask, -1e4)
        attended = (torch.softmax(weights, -1) @ value).transpose(1, 2).reshape(states.shape)
        states = self.aln(self.ao(attended) + states)
        result: Tensor = self.oln(self.fo(functional.gelu(self.fi(states))) + states)
        return result

    def _split_heads(self, states: Tensor) -> Tensor:
        texts, tokens, _ = states.shape
        return states.view(texts, tokens, self.heads, -1).transpose(1, 2)


class LowerLayers:
    """The frozen lower layers, which read one text by itself."""

    def __init__(self, parts: ModelParts, layers: int) -> None:
        self._parts = parts
        self._layers = [_Layer(parts.weights, number, 0) for number in range(layers)]
        self._norm = _Norm(parts.weights, "emb.ln", trained=False)

    @torch.no_grad()
    def __call__(self, ids: Sequence[int]) -> Tensor:
        """Return the states of a text, `[tokens, width]`."""
        embeddings = torch.from_numpy(self._parts.embed_tokens(ids))
        states: Tensor = self._norm(embeddings.to(COMPUTE_TYPE))[None]
        for layer in self._layers:
            states = layer(states)
        return states[0]


class UpperLayers(nn.Module):
    """The trained upper layers, which read question and passage together, and the scoring of units."""

    def __init__(self, parts: ModelParts, first_layer: int, rank: int) -> None:
        super().__init__()
        sizes = parts.weights.sizes
        self.first_layer = first_layer
        self.layers = nn.ModuleList(_Layer(parts.weights, number, rank) for number in range(first_layer, sizes.layers))
        self.kinds = nn.Parameter(torch.randn(2, sizes.width) * _INITIAL_KIND)
        self.mean, self.token = nn.Linear(sizes.width, 1), nn.Linear(sizes.width, 1, bias=False)
        self.cosine, self.late = nn.Parameter(torch.tensor(_INITIAL_COSINE)), nn.Parameter(torch.tensor(_INITIAL_LATE))

    def forward(self, question: Tensor, passages: Sequence[Tensor], tokenized: Sequence[TokenizedPassage]) -> Tensor:
        """Return the scores of all units of some passages, from the lower states of question and passages."""
        asked, longest = len(question), max(map(len, passages))
        states = torch.zeros(len(passages), asked + longest, question.shape[1], dtype=COMPUTE_TYPE)
        mask = torch.zeros(len(passages), asked + longest, dtype=torch.bool)
        for row, passage in enumerate(passages):
            states[row, :asked], states[row, asked : asked + len(passage)] = question, passage
            mask[row, : asked + len(passage)] = True
        states = states + torch.cat([self.kinds[:1].expand(asked, -1), self.kinds[1:].expand(longest, -1)]).to(
            COMPUTE_TYPE
        )
        for layer in self.layers:
            states = layer(states, mask[:, None, None, :])
        return self._score(states.float(), asked, [each.tokens for each in tokenized])

    def _score(self, states: Tensor, asked: int, units: Sequence[Sequence[tuple[int, int]]]) -> Tensor:
        token_scores = self.token(states)[..., 0]
        directions = functional.normalize(states[:, :asked].mean(1), dim=-1)
        normalized = functional.normalize(states, dim=-1)
        scores = []
        for row, spans in enumerate(units):
            for start, end in spans:
                first, last = asked + start, asked + end
                mean = states[row, first:last].mean(0)
                cosine = functional.normalize(mean, dim=-1) @ directions[row] - _TYPICAL_COSINE
                late = (normalized[row, 1 : asked - 1] @ normalized[row, first:last].T).max(1).values.mean()
                score = self.mean(mean)[0] + token_scores[row, first:last].max() + self.cosine * cosine
                scores.append(score + self.late * (late - _TYPICAL_COSINE))
        return torch.stack(scores)

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


def _array(parameter: Tensor) -> np.ndarray:
    return np.ascontiguousarray(parameter.detach().float().numpy())
