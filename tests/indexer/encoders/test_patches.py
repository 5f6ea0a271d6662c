"""Tokens from the tower that runs anyway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from indexer.encoders.open_clip import OpenClipEncoder
from indexer.encoders.patches import PatchTokenEncoder
from indexer.errors import ModelError
from tests.support.contract_encoders import TokenEncoderContract, make_natural_picture
from tests.support.tiny_clip import make_tiny_clip

VIT_CONFIG: dict[str, Any] = {"image_size": 64, "layers": 2, "width": 64, "patch_size": 8, "head_width": 32}
TOWERS: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "class token": (VIT_CONFIG, (49, 64)),
    "mean": (VIT_CONFIG | {"pool_type": "avg"}, (49, 64)),
    "norm after pooling": (VIT_CONFIG | {"pool_type": "avg", "final_ln_after_pool": True}, (49, 64)),
    "attention pooling": (
        VIT_CONFIG | {"attentional_pool": True, "attn_pooler_heads": 4, "attn_pooler_queries": 8},
        (49, 64),
    ),
    "few patches": (VIT_CONFIG | {"patch_size": 32}, (4, 64)),
    "residual": ({"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "head_width": 32}, (4, 512)),
    "timm": ({"image_size": 64, "timm_model_name": "convnext_atto", "timm_pool": "avg"}, (4, 320)),
}


def _encoder(folder: Path) -> OpenClipEncoder:
    return OpenClipEncoder(f"local-dir:{folder}", device="cpu", batch_size=3, precision="fp32")


class TestPatchTokens(TokenEncoderContract):
    @pytest.fixture
    def visual_encoder(self, tiny_clip: Path) -> OpenClipEncoder:
        return _encoder(tiny_clip)

    @pytest.fixture
    def token_encoder(self, visual_encoder: OpenClipEncoder) -> PatchTokenEncoder:
        return PatchTokenEncoder(visual_encoder)


class TestHalfPrecision(TokenEncoderContract):
    tolerance = 0.1  # of patches whose values are about 1

    @pytest.fixture
    def visual_encoder(self, tiny_clip: Path) -> OpenClipEncoder:
        return OpenClipEncoder(f"local-dir:{tiny_clip}", device="cpu", batch_size=4, precision="bf16")

    @pytest.fixture
    def token_encoder(self, visual_encoder: OpenClipEncoder) -> PatchTokenEncoder:
        return PatchTokenEncoder(visual_encoder)


@pytest.mark.parametrize("name", TOWERS)
def test_towers_of_every_make_give_their_grid_and_the_same_embeddings(tmp_path: Path, name: str) -> None:
    tower, shape = TOWERS[name]
    encoder = _encoder(make_tiny_clip(tmp_path / "clip", tower=tower))
    tokens = PatchTokenEncoder(encoder)
    pictures = [make_natural_picture(i) for i in range(4)]
    vectors, found = tokens.encode(pictures)
    assert (tokens.positions, tokens.width) == shape == found.shape[1:]
    assert vectors is not None
    np.testing.assert_array_equal(vectors, encoder.encode_images(pictures))


def test_tokens_stand_where_their_patches_do(tiny_clip: Path) -> None:
    tokens, picture = PatchTokenEncoder(_encoder(tiny_clip)), np.full((64, 64, 3), 90, np.uint8)
    changed = picture.copy()
    changed[48:, :16] = (250, 20, 20)  # the last row's first patch of 4×4
    (before, after) = tokens.encode([picture, changed])[1]
    assert int(np.linalg.norm(after - before, axis=1).argmax()) == 12


def test_a_large_grid_is_averaged(tmp_path: Path) -> None:
    encoder = _encoder(make_tiny_clip(tmp_path / "clip", tower=VIT_CONFIG | {"image_size": 112}))
    picture = make_natural_picture(1)
    _, (averaged_tokens,) = PatchTokenEncoder(encoder).encode([picture])
    loaded = encoder._load()
    with torch.inference_mode():
        batch = loaded.transform([picture])
        patches = loaded.model.visual.forward_intermediates(batch, indices=1, normalize_intermediates=True)
    grid = patches["image_intermediates"][0][0]  # [64, 14, 14]
    expected = grid.reshape(64, 7, 2, 7, 2).mean((2, 4)).reshape(64, 49).T.numpy()
    np.testing.assert_allclose(averaged_tokens, expected, atol=1e-5)


def test_there_is_one_forward_pass(tiny_clip: Path) -> None:
    encoder = _encoder(tiny_clip)
    tokens, runs = PatchTokenEncoder(encoder), [0]
    assert tokens.positions == 16
    encoder._load().model.visual.conv1.register_forward_hook(lambda *_: runs.append(1))
    tokens.encode([make_natural_picture(i) for i in range(3)])
    assert sum(runs) == 1


def test_a_tower_without_a_grid_is_named(tiny_clip: Path) -> None:
    encoder = _encoder(tiny_clip)
    encoder._load().model.visual.forward_intermediates = None
    with pytest.raises(
        ModelError, match=r"^open_clip:tiny@\w+: its image tower gives no grid .*switch the memory off$"
    ):
        _ = PatchTokenEncoder(encoder).positions
