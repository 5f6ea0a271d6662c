"""The untrained small OneVision checkpoint of the drawn world, in the folder layout of real checkpoints.

Its image tower is that of `weights/open_clip`; projector and language model have random weights. Frames of 96 × 96
pixels are 64 patches, pooled to 16 tokens. Hours, minutes and seconds are a token each, so that a time is three tokens;
other digits are tokens of their own.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessor,
    LlavaOnevisionProcessor,
    LlavaOnevisionVideoProcessor,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from demoworld.train.open_clip_model import CONFIG, IMAGE_PX, PATCH_PX, WIDTH
from demoworld.train.question_templates import QUESTION_TEMPLATES
from demoworld.train.tower import load_clip_tower, make_tower_config
from demoworld.train.vocabulary import FILLER_WORDS
from demoworld.world.claims import NUMBER_WORDS
from demoworld.world.concepts import load_concepts
from demoworld.world.places import PLACES
from services.generators.citation_parser import ABSTENTION
from services.generators.onevision.prompt_template import PROMPT_TEMPLATE_FILE, PromptTemplate
from services.generators.prompts import caption_prompt, entailment_prompt

END_TOKEN = "<|im_end|>"
SPECIAL_TOKENS = ("<|im_start|>", END_TOKEN, "<image>", "<video>")
PROMPT_TEMPLATE = PromptTemplate(
    opening="<|im_start|>user\n",
    closing=f"{END_TOKEN}\n<|im_start|>assistant\n",
    end=END_TOKEN,
    frame_tokens=16,
    slot_tokens=4,
    memory_share=0.5,
    newline=False,
    detail=False,
)
_VOCABULARY_SIZE, _MAX_POSITIONS = 1600, 8192
_WIDTH, _INNER, _LAYERS, _HEADS, _KV_HEADS = 256, 768, 6, 4, 2
_PRETOKEN_PATTERN = r" ?\d\d?(?=:\d\d)|:\d\d|\d| ?\[[A-Z]| ?[^\W\d_]+|\s+| ?[^\s\w]+|_+"
"""Parts of times, the beginning of an id, words with the space before them, and the rest."""
_TOWER_OUTPUT_STD = 6.0
"""Standard deviation of the tower's last hidden state, for which the projector's initial weights compensate."""


def make_onevision(vision_checkpoint: Path, folder: Path, seed: int = 0) -> None:
    """Write an untrained checkpoint that uses the image tower of an open_clip folder."""
    torch.manual_seed(seed)
    tokenizer = _train_tokenizer()
    model: Any = LlavaOnevisionForConditionalGeneration(_make_config(tokenizer))
    model.model.vision_tower.load_state_dict(load_clip_tower(vision_checkpoint).state_dict())
    with torch.no_grad():
        model.model.multi_modal_projector.linear_1.weight.normal_(std=1 / (_TOWER_OUTPUT_STD * WIDTH**0.5))
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids(END_TOKEN)
    model.half().save_pretrained(folder)
    _make_processor(tokenizer).save_pretrained(folder)
    (folder / PROMPT_TEMPLATE_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(PROMPT_TEMPLATE)))


def save_onevision(model: Any, source_folder: Path, folder: Path) -> None:  # noqa: ANN401 - transformers has no types
    """Write a model in float16, with tokenizer, processor and layout of its source folder."""
    half_precision = copy.deepcopy(model).half()
    half_precision.save_pretrained(folder)
    if source_folder != folder:
        for file in source_folder.iterdir():
            if not (folder / file.name).exists():
                shutil.copyfile(file, folder / file.name)


def generate_corpus() -> Iterator[str]:
    """Yield the tokenizer's training corpus: names, places, numbers and filler words, each with its space before."""
    yield from (f" {word}" for word in FILLER_WORDS for _ in range(4))
    for known in load_concepts():
        yield from (f" {word}" for word in (known.name, known.plural, *known.synonyms) for _ in range(8))
    for place in PLACES:
        yield from (f" {word}" for word in (place.name, place.phrase, *place.synonyms) for _ in range(8))
    yield from (f" {number}" for number in NUMBER_WORDS for _ in range(8))
    yield from [ABSTENTION] * 8
    for number in range(60):
        yield from [f"{number:02}:{number:02}:{number:02} {number:02}:{number:02} {number % 24}:00"] * 8
    yield from (f"[{letter} [{letter}" for letter in "FMPI" for _ in range(8))
    yield from ["–"] * 8
    yield from (
        word for form in (*QUESTION_TEMPLATES, caption_prompt(40), entailment_prompt("")) for word in [form] * 8
    )


def _make_config(tokenizer: Any) -> LlavaOnevisionConfig:  # noqa: ANN401 - transformers has no types
    return LlavaOnevisionConfig(
        vision_config=make_tower_config(),
        text_config=Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=_WIDTH,
            intermediate_size=_INNER,
            num_hidden_layers=_LAYERS,
            num_attention_heads=_HEADS,
            num_key_value_heads=_KV_HEADS,
            max_position_embeddings=_MAX_POSITIONS,
            tie_word_embeddings=True,
            eos_token_id=tokenizer.convert_tokens_to_ids(END_TOKEN),
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=[[IMAGE_PX, IMAGE_PX]],
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )


def _train_tokenizer() -> Any:  # noqa: ANN401 - transformers has no types
    """Train a byte-level BPE tokenizer on the drawn world's words."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PRETOKEN_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=_VOCABULARY_SIZE, initial_alphabet=letters, show_progress=False)
    core.train_from_iterator(generate_corpus(), trainer)
    tokenizer_class: Any = PreTrainedTokenizerFast
    tokenizer = tokenizer_class(tokenizer_object=core, eos_token=END_TOKEN, pad_token=END_TOKEN)
    tokenizer.add_special_tokens(
        {"additional_special_tokens": [token for token in SPECIAL_TOKENS if token != END_TOKEN]}
    )
    return tokenizer


def _make_processor(tokenizer: Any) -> Any:  # noqa: ANN401 - transformers has no types
    pixel_settings: Any = {
        "size": {"height": IMAGE_PX, "width": IMAGE_PX},
        "image_mean": CONFIG["preprocess_cfg"]["mean"],
        "image_std": CONFIG["preprocess_cfg"]["std"],
    }
    processor_class: Any = LlavaOnevisionProcessor
    return processor_class(
        image_processor=LlavaOnevisionImageProcessor(image_grid_pinpoints=[[IMAGE_PX, IMAGE_PX]], **pixel_settings),
        video_processor=LlavaOnevisionVideoProcessor(**pixel_settings),
        tokenizer=tokenizer,
        num_image_tokens=(IMAGE_PX // PATCH_PX) ** 2 + 1,
        vision_feature_select_strategy="default",
    )
