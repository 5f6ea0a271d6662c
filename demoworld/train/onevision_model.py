"""The small OneVision of the drawn world, before it is taught: a folder as real checkpoints have it.

The eyes are the image tower of `weights/open_clip`; projector and language model have random weights. Frames of 96 × 96
pixels are 64 patches, pooled to 16 tokens. Hours, minutes and seconds are a token each, so that a time is three; other
digits are tokens of their own.
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

from demoworld.train.lessons import FORMS as QUESTIONS
from demoworld.train.model import CONFIG, IMAGE_PX, PATCH_PX, WIDTH
from demoworld.train.tower import clip_tower, tower_config
from demoworld.train.words import FILLERS
from demoworld.world.claims import NUMBERS
from demoworld.world.concepts import concepts
from demoworld.world.places import PLACES
from services.generators.cited import ABSTENTION
from services.generators.onevision.layout import PROMPT_TEMPLATE_FILE, PromptTemplate
from services.generators.wording import caption_prompt, entailment_prompt

END = "<|im_end|>"
SPECIAL = ("<|im_start|>", END, "<image>", "<video>")
LAYOUT = PromptTemplate(
    opening="<|im_start|>user\n",
    closing=f"{END}\n<|im_start|>assistant\n",
    end=END,
    frame_tokens=16,
    slot_tokens=4,
    memory_share=0.5,
    newline=False,
    detail=False,
)
_VOCABULARY, _CONTEXT = 1600, 8192
_WIDTH, _INNER, _LAYERS, _HEADS, _KV_HEADS = 256, 768, 6, 4, 2
_PIECES = r" ?\d\d?(?=:\d\d)|:\d\d|\d| ?\[[A-Z]| ?[^\W\d_]+|\s+| ?[^\s\w]+|_+"
"""Times by their parts, the beginning of an id, words with the space before them, and what is left."""
_TOWER_SPREAD = 6.0
"""The standard deviation of the tower's last hidden state, which the projector starts by undoing."""


def make_onevision(eyes: Path, folder: Path, seed: int = 0) -> None:
    """Write an untaught checkpoint that looks with the tower of the open_clip folder `eyes`."""
    torch.manual_seed(seed)
    tokenizer = _tokenizer()
    model: Any = LlavaOnevisionForConditionalGeneration(_config(tokenizer))
    model.model.vision_tower.load_state_dict(clip_tower(eyes).state_dict())
    with torch.no_grad():
        model.model.multi_modal_projector.linear_1.weight.normal_(std=1 / (_TOWER_SPREAD * WIDTH**0.5))
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids(END)
    model.half().save_pretrained(folder)
    _processor(tokenizer).save_pretrained(folder)
    (folder / PROMPT_TEMPLATE_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(LAYOUT)))


def save_onevision(model: Any, start: Path, folder: Path) -> None:  # noqa: ANN401 - transformers has no types
    """Write a model in float16, with tokenizer, processor and layout of the folder that it started from."""
    halves = copy.deepcopy(model).half()
    halves.save_pretrained(folder)
    if start != folder:
        for file in start.iterdir():
            if not (folder / file.name).exists():
                shutil.copyfile(file, folder / file.name)


def corpus() -> Iterator[str]:
    """What the model reads and says: names, places, numbers, and the words between them, each with its space before."""
    yield from (f" {word}" for word in FILLERS for _ in range(4))
    for known in concepts():
        yield from (f" {word}" for word in (known.name, known.plural, *known.synonyms) for _ in range(8))
    for place in PLACES:
        yield from (f" {word}" for word in (place.name, place.phrase, *place.synonyms) for _ in range(8))
    yield from (f" {number}" for number in NUMBERS for _ in range(8))
    yield from [ABSTENTION] * 8
    for number in range(60):
        yield from [f"{number:02}:{number:02}:{number:02} {number:02}:{number:02} {number % 24}:00"] * 8
    yield from (f"[{letter} [{letter}" for letter in "FMPI" for _ in range(8))
    yield from ["–"] * 8
    yield from (word for form in (*QUESTIONS, caption_prompt(40), entailment_prompt("")) for word in [form] * 8)


def _config(tokenizer: Any) -> LlavaOnevisionConfig:  # noqa: ANN401 - transformers has no types
    return LlavaOnevisionConfig(
        vision_config=tower_config(),
        text_config=Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=_WIDTH,
            intermediate_size=_INNER,
            num_hidden_layers=_LAYERS,
            num_attention_heads=_HEADS,
            num_key_value_heads=_KV_HEADS,
            max_position_embeddings=_CONTEXT,
            tie_word_embeddings=True,
            eos_token_id=tokenizer.convert_tokens_to_ids(END),
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=[[IMAGE_PX, IMAGE_PX]],
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )


def _tokenizer() -> Any:  # noqa: ANN401 - transformers has no types
    """Pieces of the drawn world's words; all else byte by byte."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    teacher = trainers.BpeTrainer(vocab_size=_VOCABULARY, initial_alphabet=letters, show_progress=False)
    core.train_from_iterator(corpus(), teacher)
    made: Any = PreTrainedTokenizerFast
    tokenizer = made(tokenizer_object=core, eos_token=END, pad_token=END)
    tokenizer.add_special_tokens({"additional_special_tokens": [one for one in SPECIAL if one != END]})
    return tokenizer


def _processor(tokenizer: Any) -> Any:  # noqa: ANN401 - transformers has no types
    looks: Any = {
        "size": {"height": IMAGE_PX, "width": IMAGE_PX},
        "image_mean": CONFIG["preprocess_cfg"]["mean"],
        "image_std": CONFIG["preprocess_cfg"]["std"],
    }
    made: Any = LlavaOnevisionProcessor
    return made(
        image_processor=LlavaOnevisionImageProcessor(image_grid_pinpoints=[[IMAGE_PX, IMAGE_PX]], **looks),
        video_processor=LlavaOnevisionVideoProcessor(**looks),
        tokenizer=tokenizer,
        num_image_tokens=(IMAGE_PX // PATCH_PX) ** 2 + 1,
        vision_feature_select_strategy="default",
    )
