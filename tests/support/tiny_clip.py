"""CLIP of two layers with random weights, for tests that need a model but not its knowledge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

CONFIG: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "patch_size": 16, "head_width": 32},
        "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    },
    "preprocess_cfg": {
        "mean": [0.48145466, 0.4578275, 0.40821073],
        "std": [0.26862954, 0.26130258, 0.27577711],
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    },
}


def make_tiny_clip(folder: Path, seed: int = 0, tower: dict[str, Any] | None = None, **preprocess: object) -> Path:
    """Write `open_clip_config.json` and `open_clip_model.safetensors`; gives the folder.

    Vectors have 64 dimensions, pictures 64 pixels; words are cut by open_clip's own tokenizer. `preprocess` overrides
    entries of `preprocess_cfg`, `tower` takes the place of `vision_cfg`.
    """
    import open_clip

    folder.mkdir(parents=True, exist_ok=True)
    model_config = CONFIG["model_cfg"] | ({"vision_cfg": tower} if tower else {})
    config = {"model_cfg": model_config, "preprocess_cfg": CONFIG["preprocess_cfg"] | preprocess}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = open_clip.CLIP(**model_config)
    (folder / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder
