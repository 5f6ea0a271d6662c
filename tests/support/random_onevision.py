"""OneVision models with random weights, of any size, in the form that real ones have: speed does not depend on what a
model knows. The tests' models are made here too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessor,
    LlavaOnevisionProcessor,
    LlavaOnevisionVideoProcessor,
    PreTrainedTokenizerFast,
    Qwen2Config,
    SiglipVisionConfig,
)

from services.generators.onevision.checkpoint import OneVisionCheckpoint
from services.generators.onevision.prompt_template import PromptTemplate

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>")


@dataclass(frozen=True, slots=True)
class ModelDimensions:
    """Sizes of tower and language model: layers, widths, heads."""

    tower_layers: int
    tower_width: int
    tower_mlp_width: int
    tower_heads: int
    layers: int
    width: int
    mlp_width: int
    heads: int
    kv_heads: int
    vocabulary_size: int
    tie_embeddings: bool = False


MODEL_DIMENSIONS = {
    "tiny": ModelDimensions(4, 256, 1024, 4, 6, 384, 1536, 6, 2, 2000),
    "0.5b": ModelDimensions(26, 1152, 4304, 16, 24, 896, 4864, 14, 2, 152_000, tie_embeddings=True),
    "7b": ModelDimensions(26, 1152, 4304, 16, 28, 3584, 18_944, 28, 4, 152_128),
}
"""0.5b and 7b are llava-hf/llava-onevision-qwen2-0.5b-ov-hf and -7b-ov-hf, by their config.json."""

_IMAGE_PX, _PATCH_PX, _MAX_POSITIONS = 384, 14, 32_768


def make_checkpoint(
    dimensions: ModelDimensions, device: str, dtype: torch.dtype, corpus: Iterable[str]
) -> OneVisionCheckpoint:
    """Make a model on a device, with a tokenizer trained on a corpus."""
    tokenizer = make_tokenizer(corpus, min(dimensions.vocabulary_size, 2000))
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    config = LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(
            hidden_size=dimensions.tower_width,
            intermediate_size=dimensions.tower_mlp_width,
            num_hidden_layers=dimensions.tower_layers,
            num_attention_heads=dimensions.tower_heads,
            image_size=_IMAGE_PX,
            patch_size=_PATCH_PX,
            vision_use_head=False,
        ),
        text_config=_make_language_config(dimensions, end),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        tie_word_embeddings=dimensions.tie_embeddings,
    )
    config._attn_implementation = "sdpa"
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model: Any = LlavaOnevisionForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(before)
    model.generation_config.eos_token_id = end
    processor = _make_processor(tokenizer)
    return OneVisionCheckpoint(model.eval().requires_grad_(False), processor, PromptTemplate(), device, dtype)


def make_tokenizer(corpus: Iterable[str] = (), vocabulary_size: int = 0) -> Any:  # noqa: ANN401 - transformers has no types
    """Make a tokenizer of single bytes, or of up to `size` pieces of a corpus, with a checkpoint's special tokens."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    if vocabulary_size:
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary_size - len(SPECIAL_TOKENS),
            initial_alphabet=letters,
            show_progress=False,
            special_tokens=[],
        )
        core.train_from_iterator(corpus, trainer)
    made: Any = PreTrainedTokenizerFast
    tokenizer = made(tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL_TOKENS[1:2] + SPECIAL_TOKENS[3:])})
    return tokenizer


def _make_language_config(dimensions: ModelDimensions, end: int) -> Any:  # noqa: ANN401
    return Qwen2Config(
        vocab_size=dimensions.vocabulary_size,
        hidden_size=dimensions.width,
        intermediate_size=dimensions.mlp_width,
        num_hidden_layers=dimensions.layers,
        num_attention_heads=dimensions.heads,
        num_key_value_heads=dimensions.kv_heads,
        max_position_embeddings=_MAX_POSITIONS,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
        tie_word_embeddings=dimensions.tie_embeddings,
        eos_token_id=end,
    )


def _make_processor(tokenizer: Any) -> Any:  # noqa: ANN401
    planes: Any = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": {"height": _IMAGE_PX, "width": _IMAGE_PX}}
    made: Any = LlavaOnevisionProcessor
    return made(
        image_processor=LlavaOnevisionImageProcessor(**planes),
        video_processor=LlavaOnevisionVideoProcessor(**planes),
        tokenizer=tokenizer,
        num_image_tokens=(_IMAGE_PX // _PATCH_PX) ** 2,
        vision_feature_select_strategy="full",
    )
