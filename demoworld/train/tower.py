"""The image tower of the drawn world's open_clip model as a transformers `CLIPVisionModel`."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from demoworld.train.open_clip_model import CONFIG, WEIGHTS_FILE

_LAYER_NAMES = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def make_tower_config() -> CLIPVisionConfig:
    """Return the tower's transformers configuration."""
    cfg = CONFIG["model_cfg"]["vision_cfg"]
    width = cfg["width"]
    return CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=cfg["layers"],
        num_attention_heads=width // cfg["head_width"],
        image_size=cfg["image_size"],
        patch_size=cfg["patch_size"],
        hidden_act="gelu",
        projection_dim=CONFIG["model_cfg"]["embed_dim"],
    )


def load_clip_tower(folder: Path) -> CLIPVisionModel:
    """Load the tower with the weights of an open_clip folder, in float32 and evaluation mode.

    Its layer-normed patch tokens after the last layer are those of the open_clip tower. Errors: RuntimeError where
    weights are missing.
    """
    stored = {name: tensor.float() for name, tensor in load_file(folder / WEIGHTS_FILE).items()}
    visual = {name.removeprefix("visual."): tensor for name, tensor in stored.items() if name.startswith("visual.")}
    model = CLIPVisionModel(make_tower_config())
    weights = rename_weights(visual)
    expected = dict(model.state_dict())
    prefix = "vision_model." if any(name.startswith("vision_model.") for name in expected) else ""
    model.load_state_dict({f"{prefix}{name}": tensor for name, tensor in weights.items()}, strict=False)
    missing = {name for name in expected if "position_ids" not in name} - {f"{prefix}{name}" for name in weights}
    if missing:
        raise RuntimeError(f"{folder}: no weights for {', '.join(sorted(missing))}")
    modules: nn.Module = model
    modules.eval()
    return model


def rename_weights(visual: dict[str, Tensor]) -> dict[str, Tensor]:
    """Map open_clip's weight names to transformers', splitting the joint projection into queries, keys and values."""
    out = {
        "embeddings.class_embedding": visual["class_embedding"],
        "embeddings.patch_embedding.weight": visual["conv1.weight"],
        "embeddings.position_embedding.weight": visual["positional_embedding"],
    }
    for source, target in (("ln_pre", "pre_layrnorm"), ("ln_post", "post_layernorm")):
        out |= {f"{target}.{part}": visual[f"{source}.{part}"] for part in ("weight", "bias")}
    layers = 1 + max(int(name.split(".")[2]) for name in visual if name.startswith("transformer.resblocks."))
    for number in range(layers):
        source, target = f"transformer.resblocks.{number}", f"encoder.layers.{number}"
        for part in ("weight", "bias"):
            split = torch.chunk(visual[f"{source}.attn.in_proj_{part}"], 3)
            out |= {f"{target}.self_attn.{q}_proj.{part}": tensor for q, tensor in zip("qkv", split, strict=True)}
            out |= {f"{target}.{new}.{part}": visual[f"{source}.{old}.{part}"] for old, new in _LAYER_NAMES.items()}
    return out
