"""The language model under training: a OneVision checkpoint over precomputed image features, and its losses.

The image tower is frozen, so its features of the footage are computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlavaOnevisionForConditionalGeneration

from demoworld.train.footage import Footage
from demoworld.train.sequence_packing import PackedBatch, VisualUnit
from demoworld.train.trainer import DEVICE, autocast
from demoworld.world.concepts import load_concepts
from demoworld.world.places import PLACES
from services.generators.onevision.tokenizer import PromptTokenizer
from services.generators.onevision.vision import pool_grids

INSERTED_LAYERS = 2
"""Layers inserted in front for binding. The binding loss is taken at their end, the readout loss one layer further on,
which looks for what words name."""
_GRID_SIDE = 4
_CITATION_TOKEN_WEIGHT = 2.0
"""Weight of the tokens of ids and times among those of answers."""
_LABEL_LOSS_WEIGHT = 0.25
"""Weight, beside the answers, of naming every visual token; without it nothing is recognised for long."""
_CONTEXT_LOSS_WEIGHT = 0.1
"""Weight of predicting the words of ids, times and questions, which teaches copying."""
_BINDING_LOSS_WEIGHT = 0.08
"""Weight of telling id, time, place and things at visual tokens and at the words that name them; without it what is
found can neither be cited nor reported."""
_MARK_CLASSES = (100, 12, 60, 60, 2 * len(PLACES))
"""Number of ids, hours, minutes, seconds, and places by day and night."""
_MAX_COUNT = 4
_RARE_CLASS_BIAS = -5.0
"""Initial bias of a head for each count of things: about four of some six hundred are true of a picture."""


class LanguageStageModel(nn.Module):
    """A OneVision checkpoint over precomputed image features, with auxiliary heads for marks and things."""

    def __init__(self, folder: Path, footage: Footage, words: PromptTokenizer) -> None:
        super().__init__()
        self._frame_features, self._token_classes = footage.tokens, footage.token_classes
        names = [*(known.name for known in load_concepts()), *(place.name for place in PLACES)]
        self._class_token_ids = torch.tensor([words.encode_untrusted(f" {name}")[0] for name in names])
        self.model: Any = LlavaOnevisionForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
        for parameter in self.model.model.vision_tower.parameters():
            parameter.requires_grad = False
        config: Any = self.model.config.text_config
        digits = [
            any(map(str.isdigit, "".join(words.decode_stream([token_id])))) for token_id in range(config.vocab_size)
        ]
        self._token_weights = torch.where(torch.tensor(digits), _CITATION_TOKEN_WEIGHT, 1.0).to(DEVICE)
        outputs = sum(_MARK_CLASSES) + _MAX_COUNT * len(load_concepts())
        self.heads = nn.ModuleDict({name: _make_head(config.hidden_size, outputs) for name in ("bound", "pointed")})

    def forward(self, rows: PackedBatch) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch, and its figures to log."""
        with autocast():
            visual_tokens = self._embed_visual_tokens(rows.units)
            states = self._hidden_states(rows, visual_tokens)
            hidden = states[-1]
            binding, pointing = (
                self._binding_loss(rows, states[INSERTED_LAYERS]),
                self._pointing_loss(rows, states[INSERTED_LAYERS + 1]),
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
        """Return the most likely token at each position under teacher forcing, `[b, n]`."""
        with torch.inference_mode(), autocast():
            hidden = self._hidden_states(rows, self._embed_visual_tokens(rows.units))[-1]
            following = self.model.lm_head(hidden).argmax(-1).cpu()
        return torch.cat([torch.zeros_like(following[:, :1]), following[:, :-1]], 1)

    def _next_token_logits(self, rows: PackedBatch, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits that predict the masked tokens, and these tokens."""
        before = torch.zeros_like(mask)
        before[:, :-1] = mask[:, 1:]
        return self.model.lm_head(hidden[before.to(DEVICE)]).float(), rows.token_ids[mask].to(DEVICE)

    def _token_label_logits(
        self, rows: PackedBatch, hidden: Tensor, visual_tokens: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return late and early word logits of each visual token of whole frames, and the word of its class.

        Late ones come from the last layer, early ones from the input embedding itself: a picture of a dog shall lie
        near the word, so that questions find it.
        """
        whole = [
            unit.token_count == self._token_classes.shape[1] and len(unit.frame_indices) == 1 for unit in rows.units
        ]
        counts = torch.tensor([unit.token_count for unit in rows.units])
        in_whole_frames = torch.repeat_interleave(torch.tensor(whole), counts)
        frame_indices = torch.tensor(
            [unit.frame_indices[0] for unit, is_whole in zip(rows.units, whole, strict=True) if is_whole]
        )
        names = self._class_token_ids[self._token_classes[frame_indices].flatten()]
        late = self.model.lm_head(hidden[(rows.token_ids < 0).to(DEVICE)][in_whole_frames.to(DEVICE)]).float()
        own_tokens = visual_tokens[in_whole_frames.to(DEVICE)]
        early = self.model.lm_head(functional.rms_norm(own_tokens, own_tokens.shape[-1:])).float()
        return late, early, names.to(DEVICE)

    def _binding_loss(self, rows: PackedBatch, hidden: Tensor) -> Tensor:
        """Return how badly an item's marks are known at its visual tokens, before they are looked for.

        Its things are asked for at its last token, which alone has attended to all of it.
        """
        counts = torch.tensor([unit.token_count for unit in rows.units])
        states = hidden[(rows.token_ids < 0).to(DEVICE)]
        unit_indices = torch.repeat_interleave(torch.arange(len(counts)), counts)
        head = self.heads["bound"]
        return _marks_loss(head, states, rows.units, unit_indices) + _things_loss(
            head, states[counts.cumsum(0) - 1], rows.units
        )

    def _pointing_loss(self, rows: PackedBatch, hidden: Tensor) -> Tensor:
        """Return how badly an item's marks and things are known at the word that names it, after lookup."""
        if not len(rows.pointers):
            return hidden.new_zeros(())
        row, token, unit = rows.pointers.T
        mention_states, mentioned_units = (
            hidden[row.to(DEVICE), token.to(DEVICE)],
            [rows.units[index] for index in unit.tolist()],
        )
        head = self.heads["pointed"]
        return _marks_loss(head, mention_states, mentioned_units, torch.arange(len(mentioned_units))) + _things_loss(
            head, mention_states, mentioned_units
        )

    def _hidden_states(self, rows: PackedBatch, visual_tokens: Tensor) -> tuple[Tensor, ...]:
        """Return the hidden states `[b, n, D]` before the first layer and after each."""
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
        """Return the visual tokens of all units, one after the other, `[n, D]`."""
        numbers = [number for unit in units for number in unit.frame_indices]
        features = self._frame_features[torch.tensor(numbers)].float().to(DEVICE)
        grids = self.model.model.apply_pooling(self.model.model.multi_modal_projector(features))
        tokens: list[Tensor] = [torch.empty(0)] * len(units)
        first = np.cumsum([0, *(len(unit.frame_indices) for unit in units)])
        for count in {unit.token_count for unit in units}:
            same_count = [number for number, unit in enumerate(units) if unit.token_count == count]
            for frame_count in {len(units[number].frame_indices) for number in same_count}:
                group = [number for number in same_count if len(units[number].frame_indices) == frame_count]
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
    """Return the cross-entropy of a linear readout of each unit's marks from `hidden` `[n, D]`."""
    marks = torch.tensor([unit.marks for unit in units])[unit_indices].to(DEVICE)
    logits = torch.split(_apply_head(head, hidden)[:, : sum(_MARK_CLASSES)], list(_MARK_CLASSES), -1)
    return torch.stack(
        [functional.cross_entropy(mark_logits, marks[:, place]) for place, mark_logits in enumerate(logits)]
    ).sum()


def _things_loss(head: nn.Module, hidden: Tensor, units: Sequence[VisualUnit]) -> Tensor:
    """Return the loss of telling, for each unit and concept, whether it shows one or more, two or more, and so on."""
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
