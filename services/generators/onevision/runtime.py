"""Loaded OneVision checkpoint with its engine, vision encoder, tokenizer and special token ids."""

from __future__ import annotations

from services.generators.onevision.checkpoint import OneVisionCheckpoint
from services.generators.onevision.engine import Engine
from services.generators.onevision.tokenizer import PromptTokenizer
from services.generators.onevision.vision import VisionEncoder


class OneVisionRuntime:
    """Checkpoint and all that computes with it.

    `context_tokens` is the model's context length, `stop_ids` the ids that end an answer, and `yes_no_ids` the ids that
    an answer may begin with, of all spellings of yes and of no.
    """

    def __init__(self, checkpoint: OneVisionCheckpoint) -> None:
        self.checkpoint = checkpoint
        self.prompt_template = checkpoint.prompt_template
        self.vision, self.engine = VisionEncoder(checkpoint), Engine(checkpoint)
        self.tokenizer = PromptTokenizer(checkpoint.processor.tokenizer)
        self.context_tokens = int(checkpoint.model.config.text_config.max_position_embeddings)
        self.yes_no_ids = tuple(
            {self.tokenizer.encode_untrusted(form)[0] for form in (word, word.lower(), f" {word}", f" {word.lower()}")}
            for word in ("Yes", "No")
        )
        configured_ids = checkpoint.model.generation_config.eos_token_id
        end_ids = configured_ids if isinstance(configured_ids, list) else [configured_ids]
        template_ids = self.tokenizer.encode_trusted(self.prompt_template.end)[:1]
        self.stop_ids = frozenset([*(token for token in end_ids if token is not None), *template_ids])
