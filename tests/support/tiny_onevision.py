"""Small OneVision checkpoint with random weights, in the form that real ones have."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    CLIPVisionConfig,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessor,
    LlavaOnevisionProcessor,
    LlavaOnevisionVideoProcessor,
    Qwen2Config,
    SiglipVisionConfig,
)

from tests.support.random_onevision import make_tokenizer

SIDE_PX, PATCH_PX, WIDTH = 56, 14, 32
GRID = SIDE_PX // PATCH_PX


def make_tiny_onevision(folder: Path, seed: int = 0, tower: str = "siglip") -> Path:
    """Write a checkpoint folder: a tower of 4 × 4 patches, two layers of Qwen2, a tokenizer of single bytes."""
    torch.manual_seed(seed)
    tokenizer = make_tokenizer()
    mean_std = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": {"height": SIDE_PX, "width": SIDE_PX}}
    pinpoints = [[SIDE_PX * h, SIDE_PX * w] for h in (1, 2, 3) for w in (1, 2, 3)]
    strategy = "full" if tower == "siglip" else "default"
    config = LlavaOnevisionConfig(
        vision_config=_tower(tower),
        text_config=Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=4096,
            eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=pinpoints,
        vision_feature_select_strategy=strategy,
    )
    model = LlavaOnevisionForConditionalGeneration(config).eval()
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids("<|im_end|>")
    model.save_pretrained(folder)
    LlavaOnevisionProcessor(
        image_processor=LlavaOnevisionImageProcessor(image_grid_pinpoints=pinpoints, **mean_std),
        video_processor=LlavaOnevisionVideoProcessor(**mean_std),
        tokenizer=tokenizer,
        num_image_tokens=GRID * GRID + (tower == "clip"),
        vision_feature_select_strategy=strategy,
    ).save_pretrained(folder)
    return folder


def _tower(name: str) -> SiglipVisionConfig | CLIPVisionConfig:
    shape = {
        "hidden_size": 24,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SIDE_PX,
        "patch_size": PATCH_PX,
    }
    return CLIPVisionConfig(**shape) if name == "clip" else SiglipVisionConfig(**shape, vision_use_head=False)
