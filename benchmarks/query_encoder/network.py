"""multilingual-e5-small for questions in torch, for training: all its layers, with low-rank updates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.answer_reader.layers import EncoderLayer, Norm, save_layers
from indexer.encoders.multilingual_e5.parts import ModelParts

_INITIAL_CUT = 0.85
"""Chosen: about the best similarity that a question has which nothing answers, by the published weights."""


class QueryEncoder(nn.Module):
    """Embeds questions as `MultilingualE5Encoder.encode_queries` does, with gradients.

    `cut` is the similarity above which a passage shall be, if it answers; it serves training alone.
    """

    def __init__(self, parts: ModelParts, rank: int, frozen_type: torch.dtype = torch.float32) -> None:
        super().__init__()
        self._parts = parts
        weights = parts.weights
        self.cut = nn.Parameter(torch.tensor(_INITIAL_CUT))
        self.norm = Norm(weights, "emb.ln", trained=False)
        self.layers = nn.ModuleList(
            EncoderLayer(weights, number, rank, frozen_type) for number in range(weights.sizes.layers)
        )

    def forward(self, questions: Sequence[Sequence[int]]) -> Tensor:
        """Return the embeddings of questions, given in tokens, `[n, dim]`."""
        embeddings = np.concatenate([self._parts.embed_tokens(ids) for ids in questions])
        lengths = [len(ids) for ids in questions]
        states = self.norm(torch.from_numpy(embeddings))
        for layer in self.layers:
            states = layer(states, lengths)
        means = torch.stack([text.mean(0) for text in torch.split(states, lengths)])
        return functional.normalize(means, dim=-1)

    def save(self, path: Path, share: float = 1.0) -> None:
        """Write what was trained as the product's file of weights: a point on the way from the published weights to it.

        `share` says how far on the way. Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"
        (arXiv 2109.01903).
        """
        tensors = {}
        for name, values in save_layers(self.layers, 0):
            if name.endswith(".up"):
                tensors[name] = (share * values).astype(values.dtype)
            elif name.endswith(".down"):
                tensors[name] = values
            else:
                published = np.array(self._parts.weights.vector(name))
                tensors[name] = (published + share * (values - published)).astype(np.float32)
        save_file(tensors, path)
