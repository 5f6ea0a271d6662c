"""Stages 4 and on: the language model learns to answer from what the tower sees, in the generator's own layout.

The tower stands still, so what it sees of the footage is computed once. Contexts are short at first, and grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset
from transformers import AutoTokenizer, LlavaOnevisionForConditionalGeneration

from demoworld.train.footage import Footage, render_footage
from demoworld.train.layer_insertion import insert_layers
from demoworld.train.lookup_examples import generate_lookups
from demoworld.train.onevision_model import PROMPT_TEMPLATE, save_onevision
from demoworld.train.qa_examples import generate_examples
from demoworld.train.scene_batches import load_in_worker
from demoworld.train.sequence_packing import PackedBatch, PackedRow, Packer, VisualUnit, collate
from demoworld.train.synthetic_context import (
    sample_context,
    sample_search_context,
    sample_sequence_context,
    sample_single_moment,
)
from demoworld.train.trainer import DEVICE, Trainer, autocast
from demoworld.train.verification_examples import generate_verifications
from demoworld.world.concepts import load_concepts
from demoworld.world.places import PLACES
from services.generators.onevision.tokenizer import PromptTokenizer
from services.generators.onevision.vision import pool_grids

_UNASKED_MOMENTS, _FEW_MOMENTS = 12, 2
_GRID_SIDE = 4
_CITATION_TOKEN_WEIGHT = 2.0
"""What the words of ids and times count among those of answers."""
_LABEL_LOSS_WEIGHT, _CONTEXT_LOSS_WEIGHT, _BINDING_LOSS_WEIGHT = 0.25, 0.1, 0.08
"""The weights, beside the answers, of what every visual token is called, without which nothing is recognised for long,
of the words of ids, times and questions, which teach to copy, and of which id, time, place and things a visual
token is about, and a word that names what it shows, without which what is found can be neither cited nor told."""
_INSERTED_LAYERS, _MARK_CLASSES, _MAX_COUNT = 2, (100, 12, 60, 60, 2 * len(PLACES)), 4
"""The layers put in front for binding, at whose end it is asked for, and behind the next, which looks for what words
name; how many ids, hours, minutes, seconds and places by day and night there are; how far things are counted."""
_RARE_CLASS_BIAS = -5.0
"""What a head begins with for each thing: four of some six hundred counts of things are so in a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageConfig:
    """A stage: contexts of up to `frames` moments and `slots` slots, `questions` and `drills` behind each, about
    `tokens` tokens a step. `reels` and `stills` are the footage; `begin` is the share of moments and slots with which
    it begins, `bare` the share of steps without slots, `deeper` whether it begins by putting layers in front. `checked`
    is the share of rows with sentences to check; of the others, `found` is that of questions about what a search has
    found, `following` that of questions about pictures that follow one another. `peak` is the highest rate."""

    name: str
    seed: int
    steps: int
    max_moments: int
    max_slots: int
    questions_per_context: int = 6
    lookups_per_context: int = 4
    tokens_per_step: int = 5120
    video_count: int = 30
    photo_count: int = 2000
    initial_context_share: float = 0.2
    no_slots_share: float = 0.0
    adds_layers: bool = False
    verification_share: float = 0.25
    search_share: float = 0.0
    sequence_share: float = 0.0
    peak_learning_rate: float = 3e-3


STAGES = {
    stage.name: stage
    for stage in (
        StageConfig(
            name="name",
            seed=11,
            steps=450,
            max_moments=1,
            max_slots=0,
            lookups_per_context=2,
            tokens_per_step=4096,
            photo_count=4000,
        ),
        StageConfig(name="find", seed=12, steps=1450, max_moments=14, max_slots=8, video_count=40, photo_count=3000),
        StageConfig(name="cite", seed=14, steps=900, max_moments=12, max_slots=8, adds_layers=True),
        StageConfig(name="point", seed=15, steps=600, max_moments=12, max_slots=8),
        StageConfig(
            name="tell",
            seed=16,
            steps=500,
            max_moments=12,
            max_slots=8,
            questions_per_context=4,
            lookups_per_context=8,
            initial_context_share=0.5,
        ),
        StageConfig(
            name="long",
            seed=13,
            steps=1000,
            max_moments=24,
            max_slots=64,
            questions_per_context=8,
            lookups_per_context=8,
            video_count=40,
            initial_context_share=0.3,
        ),
        StageConfig(
            name="about",
            seed=17,
            steps=900,
            max_moments=16,
            max_slots=12,
            questions_per_context=12,
            video_count=40,
            initial_context_share=0.1,
        ),
        StageConfig(
            name="say",
            seed=19,
            steps=950,
            max_moments=10,
            max_slots=6,
            questions_per_context=16,
            lookups_per_context=2,
            video_count=40,
            initial_context_share=0.3,
        ),
        StageConfig(
            name="near",
            seed=18,
            steps=750,
            max_moments=8,
            max_slots=84,
            questions_per_context=16,
            lookups_per_context=2,
            initial_context_share=1.0,
            no_slots_share=0.8,
        ),
        StageConfig(
            name="hold",
            seed=20,
            steps=850,
            max_moments=6,
            max_slots=12,
            questions_per_context=14,
            lookups_per_context=1,
            video_count=40,
            initial_context_share=1.0,
            no_slots_share=0.7,
            verification_share=0.45,
            search_share=0.7,
        ),
        StageConfig(
            name="mend",
            seed=21,
            steps=320,
            max_moments=9,
            max_slots=12,
            questions_per_context=14,
            lookups_per_context=1,
            video_count=40,
            initial_context_share=1.0,
            no_slots_share=0.7,
            verification_share=0.35,
            search_share=0.35,
            sequence_share=0.45,
            peak_learning_rate=2e-3,
        ),
    )
}


class ExampleBatches(Dataset[PackedBatch]):
    """Batch after batch of rows, some of sentences to be checked. Contexts grow in the course of a stage."""

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


class LanguageStageModel(nn.Module):
    """A OneVision checkpoint whose tower's work is done already."""

    def __init__(self, folder: Path, footage: Footage, words: PromptTokenizer) -> None:
        super().__init__()
        self._frame_features, self._token_classes = footage.tokens, footage.token_classes
        names = [*(known.name for known in load_concepts()), *(place.name for place in PLACES)]
        self._class_token_ids = torch.tensor([words.encode_untrusted(f" {name}")[0] for name in names])
        self.model: Any = LlavaOnevisionForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
        for parameter in self.model.model.vision_tower.parameters():
            parameter.requires_grad = False
        config: Any = self.model.config.text_config
        digits = [any(map(str.isdigit, "".join(words.decode_stream([one])))) for one in range(config.vocab_size)]
        self._token_weights = torch.where(torch.tensor(digits), _CITATION_TOKEN_WEIGHT, 1.0).to(DEVICE)
        outputs = sum(_MARK_CLASSES) + _MAX_COUNT * len(load_concepts())
        self.heads = nn.ModuleDict({name: _make_head(config.hidden_size, outputs) for name in ("bound", "pointed")})

    def forward(self, rows: PackedBatch) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch, and its figures."""
        with autocast():
            visual_tokens = self._embed_visual_tokens(rows.units)
            states = self._hidden_states(rows, visual_tokens)
            hidden = states[-1]
            binding, pointing = (
                self._binding_loss(rows, states[_INSERTED_LAYERS]),
                self._pointing_loss(rows, states[_INSERTED_LAYERS + 1]),
            )
            logits, labels = self._next_token_logits(rows, hidden, rows.is_answer)
            reading = functional.cross_entropy(*self._next_token_logits(rows, hidden, rows.is_context))
            label_logits, early_logits, labels_of_tokens = self._token_label_logits(rows, hidden, visual_tokens)
        naming = functional.cross_entropy(label_logits, labels_of_tokens) + functional.cross_entropy(
            early_logits, labels_of_tokens
        )
        loss = (
            functional.cross_entropy(logits, labels, self._token_weights)
            + _LABEL_LOSS_WEIGHT * naming
            + _CONTEXT_LOSS_WEIGHT * reading
        )
        loss = loss + _BINDING_LOSS_WEIGHT * (binding + pointing)
        right = (logits.detach().argmax(-1) == labels).float()
        begins = rows.is_answer & ~torch.cat([torch.zeros_like(rows.is_answer[:, :1]), rows.is_answer[:, :-1]], 1)
        first = right[begins[rows.is_answer].to(DEVICE)].mean()
        label_accuracy = float((label_logits.detach().argmax(-1) == labels_of_tokens).float().mean())
        return loss, {
            "loss": loss.item(),
            "seen": label_accuracy,
            "bound": binding.item(),
            "pointed": pointing.item(),
            "tokens": float(right.mean()),
            "first": float(first),
        }

    def predict_tokens(self, rows: PackedBatch) -> Tensor:
        """The word that the model would say at each place, `[b, n]`, all that stands before it being so."""
        with torch.inference_mode(), autocast():
            hidden = self._hidden_states(rows, self._embed_visual_tokens(rows.units))[-1]
            following = self.model.lm_head(hidden).argmax(-1).cpu()
        return torch.cat([torch.zeros_like(following[:, :1]), following[:, :-1]], 1)

    def _next_token_logits(self, rows: PackedBatch, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What the model would say instead of each of these tokens, and what stands there."""
        before = torch.zeros_like(mask)
        before[:, :-1] = mask[:, 1:]
        return self.model.lm_head(hidden[before.to(DEVICE)]).float(), rows.token_ids[mask].to(DEVICE)

    def _token_label_logits(
        self, rows: PackedBatch, hidden: Tensor, visual_tokens: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What the model would say at each visual token of a frame, which words are near the token itself, and the name
        of what it shows: a picture of a dog shall look like the word, so that questions find it."""
        whole = [
            unit.token_count == self._token_classes.shape[1] and len(unit.frame_indices) == 1 for unit in rows.units
        ]
        counts = torch.tensor([unit.token_count for unit in rows.units])
        mine = torch.repeat_interleave(torch.tensor(whole), counts)
        frame_indices = torch.tensor(
            [unit.frame_indices[0] for unit, own in zip(rows.units, whole, strict=True) if own]
        )
        names = self._class_token_ids[self._token_classes[frame_indices].flatten()]
        said = self.model.lm_head(hidden[(rows.token_ids < 0).to(DEVICE)][mine.to(DEVICE)]).float()
        own = visual_tokens[mine.to(DEVICE)]
        early = self.model.lm_head(functional.rms_norm(own, own.shape[-1:])).float()
        return said, early, names.to(DEVICE)

    def _binding_loss(self, rows: PackedBatch, hidden: Tensor) -> Tensor:
        """How badly the marks of a picture are known at its tokens, before they are looked for; what it shows at its
        last token, which alone has seen all of it."""
        counts = torch.tensor([unit.token_count for unit in rows.units])
        seen = hidden[(rows.token_ids < 0).to(DEVICE)]
        every = torch.repeat_interleave(torch.arange(len(counts)), counts)
        head = self.heads["bound"]
        return _marks_loss(head, seen, rows.units, every) + _things_loss(head, seen[counts.cumsum(0) - 1], rows.units)

    def _pointing_loss(self, rows: PackedBatch, hidden: Tensor) -> Tensor:
        """How badly the marks and things of what a word names are known at the word, after looking for it."""
        if not len(rows.pointers):
            return hidden.new_zeros(())
        row, token, unit = rows.pointers.T
        named, units = hidden[row.to(DEVICE), token.to(DEVICE)], [rows.units[one] for one in unit.tolist()]
        head = self.heads["pointed"]
        return _marks_loss(head, named, units, torch.arange(len(units))) + _things_loss(head, named, units)

    def _hidden_states(self, rows: PackedBatch, visual_tokens: Tensor) -> tuple[Tensor, ...]:
        """The hidden states `[b, n, D]` before the first layer and after each; the last is what words are read from."""
        inner = self.model.model
        embedded = inner.language_model.embed_tokens(rows.token_ids.clamp(min=0).to(DEVICE))
        where = (rows.token_ids < 0).to(DEVICE)
        embedded = embedded.masked_scatter(where[..., None], visual_tokens.to(embedded.dtype))
        out = inner.language_model(
            inputs_embeds=embedded,
            attention_mask={"full_attention": rows.attention_mask.to(DEVICE)},
            position_ids=rows.position_ids.to(DEVICE),
            use_cache=False,
            output_hidden_states=True,
        )
        states: tuple[Tensor, ...] = (*out.hidden_states[:-1], out.last_hidden_state)
        return states

    def _embed_visual_tokens(self, units: Sequence[VisualUnit]) -> Tensor:
        """The visual tokens of all units, one after the other, `[n, D]`."""
        numbers = [number for unit in units for number in unit.frame_indices]
        seen = self._frame_features[torch.tensor(numbers)].float().to(DEVICE)
        grids = self.model.model.apply_pooling(self.model.model.multi_modal_projector(seen))
        tokens: list[Tensor] = [torch.empty(0)] * len(units)
        first = np.cumsum([0, *(len(unit.frame_indices) for unit in units)])
        for count in {unit.token_count for unit in units}:
            mine = [number for number, unit in enumerate(units) if unit.token_count == count]
            for frame_count in {len(units[number].frame_indices) for number in mine}:
                group = [number for number in mine if len(units[number].frame_indices) == frame_count]
                rows = torch.tensor([range(first[number], first[number] + frame_count) for number in group]).flatten()
                means = pool_grids(grids[rows], _GRID_SIDE, count).reshape(len(group), frame_count, count, -1).mean(1)
                for number, mean in zip(group, means, strict=True):
                    tokens[number] = mean
        return torch.cat(tokens)


def _make_head(width: int, outputs: int) -> nn.Linear:
    head = nn.Linear(width, outputs)
    nn.init.constant_(head.bias[sum(_MARK_CLASSES) :], _RARE_CLASS_BIAS)
    return head


def _marks_loss(head: nn.Module, hidden: Tensor, units: Sequence[VisualUnit], unit_indices: Tensor) -> Tensor:
    """How badly a linear reading of `hidden` `[n, D]` tells the marks of the units `which` `[n]`."""
    marks = torch.tensor([unit.marks for unit in units])[unit_indices].to(DEVICE)
    logits = torch.split(_apply_head(head, hidden)[:, : sum(_MARK_CLASSES)], list(_MARK_CLASSES), -1)
    return torch.stack([functional.cross_entropy(one, marks[:, place]) for place, one in enumerate(logits)]).sum()


def _things_loss(head: nn.Module, hidden: Tensor, units: Sequence[VisualUnit]) -> Tensor:
    """How badly it tells, for each of the units, of what they show one or more, two or more, and so on."""
    targets = torch.zeros(len(units), len(load_concepts()), _MAX_COUNT)
    for number, unit in enumerate(units):
        for thing, count in unit.concept_counts.items():
            targets[number, thing, :count] = 1.0
    logits = _apply_head(head, hidden)[:, sum(_MARK_CLASSES) :]
    losses = functional.binary_cross_entropy_with_logits(logits, targets.flatten(1).to(DEVICE), reduction="none")
    return losses.sum(-1).mean()


def _apply_head(head: nn.Module, hidden: Tensor) -> Tensor:
    logits: Tensor = head(functional.rms_norm(hidden, hidden.shape[-1:]))
    return logits.float()


def train(stage: StageConfig, start: Path, vision_checkpoint: Path, work: Path, target: Path, heads_file: Path) -> None:
    """Run a stage from the checkpoint in `start`, or go on with it, keeping its state in `work`; gives `target`, and in
    `heads` what reads the headers, for the next stage."""
    footage = render_footage(vision_checkpoint, stage.seed, stage.video_count, stage.photo_count)
    if stage.adds_layers:
        insert_layers(start, work / f"{stage.name}-deeper", _INSERTED_LAYERS, stage.seed)
        start = work / f"{stage.name}-deeper"
    words = PromptTokenizer(AutoTokenizer.from_pretrained(start))
    model = LanguageStageModel(start, footage, words)
    if heads_file.exists():
        model.heads.load_state_dict(load_file(heads_file))
    trainer = Trainer(work / f"{stage.name}.pt", model, stage.steps, stage.peak_learning_rate)
    for rows in load_in_worker(ExampleBatches(stage, footage, words, trainer.step)):
        trainer.train_step(*model(rows))
    save_onevision(model.model, start, target)
    save_file(model.heads.half().state_dict(), heads_file)
