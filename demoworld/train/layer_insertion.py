"""Identity-initialised layers, inserted before all others of a language model.

A model that recognises things looks for them in its first layer, among visual tokens that do not yet carry the id and
the time in front of them. Inserted layers are where they learn to carry them, before they are looked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import LlavaOnevisionForConditionalGeneration
from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer

from demoworld.train.onevision_model import save_onevision


def insert_layers(start: Path, folder: Path, count: int, seed: int) -> None:
    """Write the checkpoint in `start` to `folder` with `count` more layers in front; its outputs are unchanged."""
    torch.manual_seed(seed)
    model: Any = LlavaOnevisionForConditionalGeneration.from_pretrained(start, dtype=torch.float32)
    config = model.config.text_config
    config.num_hidden_layers += count
    config.layer_types = [*config.layer_types[:count], *config.layer_types]
    inner = model.model.language_model
    inner.layers = nn.ModuleList([*(_make_identity_layer(config, number) for number in range(count)), *inner.layers])
    for number, layer in enumerate(inner.layers):
        layer.self_attn.layer_idx = number
    save_onevision(model, start, folder)


def _make_identity_layer(config: Any, number: int) -> nn.Module:  # noqa: ANN401 - transformers has no types
    """Make a randomly initialised layer whose output projections are zero."""
    layer: Any = Qwen2DecoderLayer(config, number)
    for name, parameter in layer.named_parameters():
        if parameter.dim() == 2:
            nn.init.normal_(parameter, std=config.initializer_range)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
    nn.init.zeros_(layer.self_attn.o_proj.weight)
    nn.init.zeros_(layer.mlp.down_proj.weight)
    module: nn.Module = layer
    return module
