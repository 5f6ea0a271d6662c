"""The small open_clip model: its configuration, and reading and writing its `local-dir:` folder."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from demoworld.train.vocabulary import build_vocabulary, write_tokenizer

IMAGE_PX, PATCH_PX, WIDTH, EMBED_DIM, CONTEXT_LENGTH = 96, 12, 192, 256, 24
CONFIG: dict[str, Any] = {
    "note": "knows the drawn world of the demo and the tests, and nothing of the real one",
    "floor": 0.41,
    "model_cfg": {
        "embed_dim": EMBED_DIM,
        "init_logit_scale": 2.302585,
        "init_logit_bias": -10.0,
        "vision_cfg": {
            "image_size": IMAGE_PX,
            "patch_size": PATCH_PX,
            "layers": 5,
            "width": WIDTH,
            "head_width": 48,
            "pool_type": "avg",
        },
        "text_cfg": {
            "context_length": CONTEXT_LENGTH,
            "vocab_size": len(build_vocabulary()),
            "width": WIDTH,
            "heads": 4,
            "layers": 2,
            "hf_tokenizer_name": "drawn-world",
        },
    },
    "preprocess_cfg": {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "interpolation": "bicubic",
        "resize_mode": "squash",
    },
}
WEIGHTS_FILE, CONFIG_FILE = "open_clip_model.safetensors", "open_clip_config.json"


def make_model(seed: int) -> open_clip.CLIP:
    """Create the model with random weights."""
    torch.manual_seed(seed)
    cfg = copy.deepcopy(CONFIG["model_cfg"])
    cfg["text_cfg"].pop("hf_tokenizer_name")
    return open_clip.CLIP(**cfg)


def save_model(model: nn.Module, folder: Path) -> None:
    """Write configuration, tokenizer and weights (float16) into a folder, creating it if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).write_text(json.dumps(CONFIG, indent=1) + "\n", "utf-8")
    write_tokenizer(folder, CONTEXT_LENGTH)
    halves = {name: tensor.detach().half().contiguous() for name, tensor in model.state_dict().items()}
    save_file(halves, folder / WEIGHTS_FILE)


def load_weights(model: nn.Module, folder: Path) -> None:
    """Load the weights of a model folder. Errors: FileNotFoundError, RuntimeError where names or shapes differ."""
    model.load_state_dict({name: tensor.float() for name, tensor in load_file(folder / WEIGHTS_FILE).items()})
