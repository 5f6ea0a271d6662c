"""Stages 4 to 14: train the language model to answer, in the prompt layout of the generator.

Contexts are short at first and grow in the course of a stage.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.utils.data import Dataset
from transformers import AutoTokenizer

from demoworld.train.footage import Footage, render_footage
from demoworld.train.language_model import INSERTED_LAYERS, LanguageStageModel
from demoworld.train.layer_insertion import insert_layers
from demoworld.train.lookup_examples import generate_lookups
from demoworld.train.onevision_model import PROMPT_TEMPLATE, save_onevision
from demoworld.train.qa_examples import generate_examples
from demoworld.train.scene_batches import load_in_worker
from demoworld.train.sequence_packing import PackedBatch, PackedRow, Packer, collate
from demoworld.train.stage_config import StageConfig
from demoworld.train.synthetic_context import (
    sample_context,
    sample_search_context,
    sample_sequence_context,
    sample_single_moment,
)
from demoworld.train.trainer import Trainer
from demoworld.train.verification_examples import generate_verifications
from services.generators.onevision.tokenizer import PromptTokenizer

_UNASKED_MOMENTS, _FEW_MOMENTS = 12, 2
"""Size of the contexts without questions that join a batch, and the largest context that makes them join."""


class ExampleBatches(Dataset[PackedBatch]):
    """Seeded batches of packed rows, some of sentences to verify; contexts grow in the course of a stage."""

    def __init__(self, stage: StageConfig, footage: Footage, words: PromptTokenizer, first: int) -> None:
        self._stage, self._first = stage, first
        self._footage = Footage(footage.videos, footage.photos, torch.empty(0), torch.empty(0))
        self._packer = Packer(PROMPT_TEMPLATE, words)

    def __len__(self) -> int:
        return self._stage.steps - self._first

    def __getitem__(self, number: int) -> PackedBatch:
        step = self._first + number
        rng = np.random.default_rng([self._stage.seed, step])
        context_share = min(1.0, self._stage.initial_context_share + step / self._stage.steps)
        frames, slots = (
            int(rng.integers(round(context_share * most) + 1))
            for most in (self._stage.max_moments, self._stage.max_slots)
        )
        slots = 0 if self._stage.no_slots_share and rng.random() < self._stage.no_slots_share else slots
        rows = [self._pack_questions(rng, max(1, frames), slots)]
        if frames <= _FEW_MOMENTS:
            rows += [self._packer.pack(sample_context(rng, self._footage, _UNASKED_MOMENTS, 0), []) for _ in range(2)]
        while (len(rows) + 1) * max(len(row.token_ids) for row in rows) <= self._stage.tokens_per_step:
            rows.append(
                self._pack_verifications(rng)
                if rng.random() < self._stage.verification_share
                else self._pack_questions(rng, max(1, frames), slots)
            )
        return collate(rows)

    def _pack_questions(self, rng: np.random.Generator, frames: int, slots: int) -> PackedRow:
        which = rng.random()
        if which < self._stage.search_share:
            context = sample_search_context(rng, self._footage, self._stage.max_moments)
        elif which < self._stage.search_share + self._stage.sequence_share:
            context = sample_sequence_context(rng, self._footage, self._stage.max_moments)
        else:
            context = sample_context(rng, self._footage, frames, slots)
        examples = generate_examples(rng, context, self._stage.questions_per_context)
        return self._packer.pack(context, [*examples, *generate_lookups(rng, context, self._stage.lookups_per_context)])

    def _pack_verifications(self, rng: np.random.Generator) -> PackedRow:
        context = sample_single_moment(rng, self._footage)
        return self._packer.pack(context, generate_verifications(rng, context, self._stage.questions_per_context))


def train(stage: StageConfig, start: Path, vision_checkpoint: Path, work: Path, target: Path, heads_file: Path) -> None:
    """Run or resume a stage; writes the checkpoint to `target` and the auxiliary heads to `heads_file`.

    It starts from the checkpoint in `start` and keeps its state in `work`.
    """
    footage = render_footage(vision_checkpoint, stage.seed, stage.video_count, stage.photo_count)
    if stage.adds_layers:
        insert_layers(start, work / f"{stage.name}-inserted-layers", INSERTED_LAYERS, stage.seed)
        start = work / f"{stage.name}-inserted-layers"
    words = PromptTokenizer(AutoTokenizer.from_pretrained(start))
    model = LanguageStageModel(start, footage, words)
    if heads_file.exists():
        model.heads.load_state_dict(load_file(heads_file))
    trainer = Trainer(work / f"{stage.name}.pt", model, stage.steps, stage.peak_learning_rate)
    for rows in load_in_worker(ExampleBatches(stage, footage, words, trainer.step)):
        trainer.train_step(*model(rows))
    save_onevision(model.model, start, target)
    save_file(model.heads.half().state_dict(), heads_file)
