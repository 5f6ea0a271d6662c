"""The tower that OneVision looks with sees what open_clip's sees."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import open_clip
import torch

from demoworld.train.tower import load_clip_tower

WEIGHTS = Path(str(resources.files("demoworld") / "weights" / "open_clip"))


def test_patch_tokens_are_those_of_the_open_clip_tower() -> None:
    model = open_clip.create_model_from_pretrained(f"local-dir:{WEIGHTS}", return_transform=False).eval()
    model.visual.output_tokens = True
    tower = load_clip_tower(WEIGHTS)
    pixels = torch.randn(3, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        _, expected = model.visual(pixels)
        hidden = tower(pixels, output_hidden_states=True).hidden_states[-1]
        inner = getattr(tower, "vision_model", tower)
        tokens = inner.post_layernorm(hidden)[:, 1:]
    assert expected.shape == tokens.shape == (3, 64, 192)
    assert torch.allclose(tokens, expected, atol=1e-4)
