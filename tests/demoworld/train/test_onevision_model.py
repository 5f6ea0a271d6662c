"""The untaught OneVision of the drawn world: loaded by the unchanged generator, small enough, with the tower's eyes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from demoworld.train.onevision_model import PROMPT_TEMPLATE, make_onevision
from demoworld.train.tower import load_clip_tower
from demoworld.world.concepts import load_concepts
from services.generators.onevision.checkpoint import OneVisionCheckpoint, load_checkpoint
from services.generators.onevision.tokenizer import PromptTokenizer
from services.generators.onevision.vision import VisionEncoder

VISION_TOWER = Path(__file__).parents[3] / "demoworld" / "weights" / "open_clip"
_MAX_BYTES = 25_000_000


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("onevision") / "untaught"
    make_onevision(VISION_TOWER, made)
    return made


@pytest.fixture(scope="module")
def checkpoint(model_folder: Path) -> OneVisionCheckpoint:
    return load_checkpoint(f"local-dir:{model_folder}", "cpu", "fp32")


def test_it_is_small_enough_and_brings_its_layout(model_folder: Path, checkpoint: OneVisionCheckpoint) -> None:
    assert sum(file.stat().st_size for file in model_folder.iterdir()) < _MAX_BYTES
    assert checkpoint.prompt_template == PROMPT_TEMPLATE
    assert VisionEncoder(checkpoint).count_frame_tokens(PROMPT_TEMPLATE.frame_tokens) == 16
    assert VisionEncoder(checkpoint).count_frame_tokens(PROMPT_TEMPLATE.slot_tokens) == 4


def test_it_looks_with_the_tower_of_the_visual_lane(checkpoint: OneVisionCheckpoint) -> None:
    pixels = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        seen = checkpoint.model.model.vision_tower(pixels, output_hidden_states=True).hidden_states[-1]
        wanted = load_clip_tower(VISION_TOWER)(pixels, output_hidden_states=True).hidden_states[-1]
    assert torch.allclose(seen, wanted, atol=1e-2)
    frames = VisionEncoder(checkpoint).encode_frames([np.zeros((270, 480, 3), np.uint8)] * 2, 16)
    assert [tuple(frame.shape) for frame in frames] == [(16, 256)] * 2


def test_words_are_few_tokens_and_times_three(checkpoint: OneVisionCheckpoint) -> None:
    words = PromptTokenizer(checkpoint.processor.tokenizer)
    lengths = [len(words.encode_untrusted(f" {known.name}")) for known in load_concepts()]
    assert np.mean(lengths) < 2.5
    assert len(words.encode_untrusted("00:13:02")) == 3 and len(words.encode_untrusted("[F17 00:13:02–01:13:10]")) == 11
    text = "Is there a zebra in 猫の島 [F7 00:13:02]?"
    assert "".join(words.decode_stream(iter(words.encode_untrusted(text)))) == text
