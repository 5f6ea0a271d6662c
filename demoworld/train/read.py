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

from demoworld.train.batches import in_worker
from demoworld.train.checks import checks
from demoworld.train.deepening import deepen
from demoworld.train.drills import drills
from demoworld.train.footage import Footage, film
from demoworld.train.lessons import lessons
from demoworld.train.onevision_model import LAYOUT, save_onevision
from demoworld.train.packing import Packer, Row, Rows, Unit, side_by_side
from demoworld.train.running import DEVICE, Run, autocast
from demoworld.train.showing import finds, follows, glance, show
from demoworld.world.concepts import concepts
from demoworld.world.places import PLACES
from services.generators.onevision.vision import pool_grids
from services.generators.onevision.words import PromptTokenizer

_ALONE, _FEW = 12, 2
_SIDE = 4
_PROOF = 2.0
"""What the words of ids and times count among those of answers."""
_NAMING, _READING, _BINDING = 0.25, 0.1, 0.08
"""The weights, beside the answers, of what every visual token is called, without which nothing is recognised for long,
of the words of ids, times and questions, which teach to copy, and of which id, time, place and things a visual
token is about, and a word that names what it shows, without which what is found can be neither cited nor told."""
_FRONT, _MARKS, _MOST = 2, (100, 12, 60, 60, 2 * len(PLACES)), 4
"""The layers put in front for binding, at whose end it is asked for, and behind the next, which looks for what words
name; how many ids, hours, minutes, seconds and places by day and night there are; how far things are counted."""
_RARE = -5.0
"""What a head begins with for each thing: four of some six hundred counts of things are so in a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A stage: contexts of up to `frames` moments and `slots` slots, `questions` and `drills` behind each, about
    `tokens` tokens a step. `reels` and `stills` are the footage; `begin` is the share of moments and slots with which
    it begins, `bare` the share of steps without slots, `deeper` whether it begins by putting layers in front. `checked`
    is the share of rows with sentences to check; of the others, `found` is that of questions about what a search has
    found, `following` that of questions about pictures that follow one another. `peak` is the highest rate."""

    name: str
    seed: int
    steps: int
    frames: int
    slots: int
    questions: int = 6
    drills: int = 4
    tokens: int = 5120
    reels: int = 30
    stills: int = 2000
    begin: float = 0.2
    bare: float = 0.0
    deeper: bool = False
    checked: float = 0.25
    found: float = 0.0
    following: float = 0.0
    peak: float = 3e-3


STAGES = {
    stage.name: stage
    for stage in (
        Reading(name="name", seed=11, steps=450, frames=1, slots=0, drills=2, tokens=4096, stills=4000),
        Reading(name="find", seed=12, steps=1450, frames=14, slots=8, reels=40, stills=3000),
        Reading(name="cite", seed=14, steps=900, frames=12, slots=8, deeper=True),
        Reading(name="point", seed=15, steps=600, frames=12, slots=8),
        Reading(name="tell", seed=16, steps=500, frames=12, slots=8, questions=4, drills=8, begin=0.5),
        Reading(name="long", seed=13, steps=1000, frames=24, slots=64, questions=8, drills=8, reels=40, begin=0.3),
        Reading(name="about", seed=17, steps=900, frames=16, slots=12, questions=12, reels=40, begin=0.1),
        Reading(name="say", seed=19, steps=950, frames=10, slots=6, questions=16, drills=2, reels=40, begin=0.3),
        Reading(name="near", seed=18, steps=750, frames=8, slots=84, questions=16, drills=2, begin=1.0, bare=0.8),
        Reading(
            name="hold",
            seed=20,
            steps=850,
            frames=6,
            slots=12,
            questions=14,
            drills=1,
            reels=40,
            begin=1.0,
            bare=0.7,
            checked=0.45,
            found=0.7,
        ),
        Reading(
            name="mend",
            seed=21,
            steps=320,
            frames=9,
            slots=12,
            questions=14,
            drills=1,
            reels=40,
            begin=1.0,
            bare=0.7,
            checked=0.35,
            found=0.35,
            following=0.45,
            peak=2e-3,
        ),
    )
}


class LessonBatches(Dataset[Rows]):
    """Batch after batch of rows, some of sentences to be checked. Contexts grow in the course of a stage."""

    def __init__(self, stage: Reading, footage: Footage, words: PromptTokenizer, first: int) -> None:
        self._stage, self._first = stage, first
        self._reels = Footage(footage.reels, footage.stills, torch.empty(0), torch.empty(0))
        self._packer = Packer(LAYOUT, words)

    def __len__(self) -> int:
        return self._stage.steps - self._first

    def __getitem__(self, number: int) -> Rows:
        step = self._first + number
        rng = np.random.default_rng([self._stage.seed, step])
        grown = min(1.0, self._stage.begin + step / self._stage.steps)
        frames, slots = (int(rng.integers(round(grown * most) + 1)) for most in (self._stage.frames, self._stage.slots))
        slots = 0 if self._stage.bare and rng.random() < self._stage.bare else slots
        rows = [self._asked(rng, max(1, frames), slots)]
        if frames <= _FEW:
            rows += [self._packer.row(show(rng, self._reels, _ALONE, 0), []) for _ in range(2)]
        while (len(rows) + 1) * max(len(row.ids) for row in rows) <= self._stage.tokens:
            rows.append(
                self._checked(rng) if rng.random() < self._stage.checked else self._asked(rng, max(1, frames), slots)
            )
        return side_by_side(rows)

    def _asked(self, rng: np.random.Generator, frames: int, slots: int) -> Row:
        which = rng.random()
        if which < self._stage.found:
            showing = finds(rng, self._reels, self._stage.frames)
        elif which < self._stage.found + self._stage.following:
            showing = follows(rng, self._reels, self._stage.frames)
        else:
            showing = show(rng, self._reels, frames, slots)
        asked = lessons(rng, showing, self._stage.questions)
        return self._packer.row(showing, [*asked, *drills(rng, showing, self._stage.drills)])

    def _checked(self, rng: np.random.Generator) -> Row:
        showing = glance(rng, self._reels)
        return self._packer.row(showing, checks(rng, showing, self._stage.questions))


class Reader(nn.Module):
    """A OneVision checkpoint whose tower's work is done already."""

    def __init__(self, folder: Path, footage: Footage, words: PromptTokenizer) -> None:
        super().__init__()
        self._seen, self._classes = footage.tokens, footage.classes
        names = [*(known.name for known in concepts()), *(place.name for place in PLACES)]
        self._names = torch.tensor([words.encode_untrusted(f" {name}")[0] for name in names])
        self.model: Any = LlavaOnevisionForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
        for parameter in self.model.model.vision_tower.parameters():
            parameter.requires_grad = False
        config: Any = self.model.config.text_config
        digits = [any(map(str.isdigit, "".join(words.decode_stream([one])))) for one in range(config.vocab_size)]
        self._counts = torch.where(torch.tensor(digits), _PROOF, 1.0).to(DEVICE)
        outputs = sum(_MARKS) + _MOST * len(concepts())
        self.heads = nn.ModuleDict({name: _head(config.hidden_size, outputs) for name in ("bound", "pointed")})

    def forward(self, rows: Rows) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch, and its figures."""
        with autocast():
            looked = self._looked(rows.units)
            states = self._read(rows, looked)
            hidden = states[-1]
            binding, pointing = self._bound(rows, states[_FRONT]), self._pointed(rows, states[_FRONT + 1])
            logits, labels = self._next(rows, hidden, rows.taught)
            reading = functional.cross_entropy(*self._next(rows, hidden, rows.read))
            named, early, names = self._named(rows, hidden, looked)
        naming = functional.cross_entropy(named, names) + functional.cross_entropy(early, names)
        loss = functional.cross_entropy(logits, labels, self._counts) + _NAMING * naming + _READING * reading
        loss = loss + _BINDING * (binding + pointing)
        right = (logits.detach().argmax(-1) == labels).float()
        begins = rows.taught & ~torch.cat([torch.zeros_like(rows.taught[:, :1]), rows.taught[:, :-1]], 1)
        first = right[begins[rows.taught].to(DEVICE)].mean()
        seen = float((named.detach().argmax(-1) == names).float().mean())
        return loss, {
            "loss": loss.item(),
            "seen": seen,
            "bound": binding.item(),
            "pointed": pointing.item(),
            "tokens": float(right.mean()),
            "first": float(first),
        }

    def said(self, rows: Rows) -> Tensor:
        """The word that the model would say at each place, `[b, n]`, all that stands before it being so."""
        with torch.inference_mode(), autocast():
            hidden = self._read(rows, self._looked(rows.units))[-1]
            following = self.model.lm_head(hidden).argmax(-1).cpu()
        return torch.cat([torch.zeros_like(following[:, :1]), following[:, :-1]], 1)

    def _next(self, rows: Rows, hidden: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
        """What the model would say instead of each of these tokens, and what stands there."""
        before = torch.zeros_like(which)
        before[:, :-1] = which[:, 1:]
        return self.model.lm_head(hidden[before.to(DEVICE)]).float(), rows.ids[which].to(DEVICE)

    def _named(self, rows: Rows, hidden: Tensor, looked: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the model would say at each visual token of a frame, which words are near the token itself, and the name
        of what it shows: a picture of a dog shall look like the word, so that questions find it."""
        whole = [unit.tokens == self._classes.shape[1] and len(unit.looks) == 1 for unit in rows.units]
        counts = torch.tensor([unit.tokens for unit in rows.units])
        mine = torch.repeat_interleave(torch.tensor(whole), counts)
        looks = torch.tensor([unit.looks[0] for unit, own in zip(rows.units, whole, strict=True) if own])
        names = self._names[self._classes[looks].flatten()]
        said = self.model.lm_head(hidden[(rows.ids < 0).to(DEVICE)][mine.to(DEVICE)]).float()
        own = looked[mine.to(DEVICE)]
        early = self.model.lm_head(functional.rms_norm(own, own.shape[-1:])).float()
        return said, early, names.to(DEVICE)

    def _bound(self, rows: Rows, middle: Tensor) -> Tensor:
        """How badly the marks of a picture are known at its tokens, before they are looked for; what it shows at its
        last token, which alone has seen all of it."""
        counts = torch.tensor([unit.tokens for unit in rows.units])
        seen = middle[(rows.ids < 0).to(DEVICE)]
        every = torch.repeat_interleave(torch.arange(len(counts)), counts)
        head = self.heads["bound"]
        return _marks_lost(head, seen, rows.units, every) + _things_lost(head, seen[counts.cumsum(0) - 1], rows.units)

    def _pointed(self, rows: Rows, later: Tensor) -> Tensor:
        """How badly the marks and things of what a word names are known at the word, after looking for it."""
        if not len(rows.points):
            return later.new_zeros(())
        row, token, unit = rows.points.T
        named, units = later[row.to(DEVICE), token.to(DEVICE)], [rows.units[one] for one in unit.tolist()]
        head = self.heads["pointed"]
        return _marks_lost(head, named, units, torch.arange(len(units))) + _things_lost(head, named, units)

    def _read(self, rows: Rows, looked: Tensor) -> tuple[Tensor, ...]:
        """The hidden states `[b, n, D]` before the first layer and after each; the last is what words are read from."""
        inner = self.model.model
        embedded = inner.language_model.embed_tokens(rows.ids.clamp(min=0).to(DEVICE))
        where = (rows.ids < 0).to(DEVICE)
        embedded = embedded.masked_scatter(where[..., None], looked.to(embedded.dtype))
        out = inner.language_model(
            inputs_embeds=embedded,
            attention_mask={"full_attention": rows.sees.to(DEVICE)},
            position_ids=rows.position.to(DEVICE),
            use_cache=False,
            output_hidden_states=True,
        )
        states: tuple[Tensor, ...] = (*out.hidden_states[:-1], out.last_hidden_state)
        return states

    def _looked(self, units: Sequence[Unit]) -> Tensor:
        """The visual tokens of all units, one after the other, `[n, D]`."""
        numbers = [number for unit in units for number in unit.looks]
        seen = self._seen[torch.tensor(numbers)].float().to(DEVICE)
        grids = self.model.model.apply_pooling(self.model.model.multi_modal_projector(seen))
        tokens: list[Tensor] = [torch.empty(0)] * len(units)
        first = np.cumsum([0, *(len(unit.looks) for unit in units)])
        for count in {unit.tokens for unit in units}:
            mine = [number for number, unit in enumerate(units) if unit.tokens == count]
            for looks in {len(units[number].looks) for number in mine}:
                some = [number for number in mine if len(units[number].looks) == looks]
                rows = torch.tensor([range(first[number], first[number] + looks) for number in some]).flatten()
                means = pool_grids(grids[rows], _SIDE, count).reshape(len(some), looks, count, -1).mean(1)
                for number, mean in zip(some, means, strict=True):
                    tokens[number] = mean
        return torch.cat(tokens)


def _head(width: int, outputs: int) -> nn.Linear:
    head = nn.Linear(width, outputs)
    nn.init.constant_(head.bias[sum(_MARKS) :], _RARE)
    return head


def _marks_lost(head: nn.Module, hidden: Tensor, units: Sequence[Unit], which: Tensor) -> Tensor:
    """How badly a linear reading of `hidden` `[n, D]` tells the marks of the units `which` `[n]`."""
    marks = torch.tensor([unit.marks for unit in units])[which].to(DEVICE)
    told = torch.split(_told(head, hidden)[:, : sum(_MARKS)], list(_MARKS), -1)
    return torch.stack([functional.cross_entropy(one, marks[:, place]) for place, one in enumerate(told)]).sum()


def _things_lost(head: nn.Module, hidden: Tensor, units: Sequence[Unit]) -> Tensor:
    """How badly it tells, for each of the units, of what they show one or more, two or more, and so on."""
    shown = torch.zeros(len(units), len(concepts()), _MOST)
    for number, unit in enumerate(units):
        for thing, count in unit.things.items():
            shown[number, thing, :count] = 1.0
    told = _told(head, hidden)[:, sum(_MARKS) :]
    lost = functional.binary_cross_entropy_with_logits(told, shown.flatten(1).to(DEVICE), reduction="none")
    return lost.sum(-1).mean()


def _told(head: nn.Module, hidden: Tensor) -> Tensor:
    told: Tensor = head(functional.rms_norm(hidden, hidden.shape[-1:]))
    return told.float()


def train(stage: Reading, start: Path, eyes: Path, work: Path, target: Path, heads: Path) -> None:
    """Run a stage from the checkpoint in `start`, or go on with it, keeping its state in `work`; gives `target`, and in
    `heads` what reads the headers, for the next stage."""
    footage = film(eyes, stage.seed, stage.reels, stage.stills)
    if stage.deeper:
        deepen(start, work / f"{stage.name}-deeper", _FRONT, stage.seed)
        start = work / f"{stage.name}-deeper"
    words = PromptTokenizer(AutoTokenizer.from_pretrained(start))
    reader = Reader(start, footage, words)
    if heads.exists():
        reader.heads.load_state_dict(load_file(heads))
    run = Run(work / f"{stage.name}.pt", reader, stage.steps, stage.peak)
    for rows in in_worker(LessonBatches(stage, footage, words, run.step)):
        run.advance(*reader(rows))
    save_onevision(reader.model, start, target)
    save_file(reader.heads.half().state_dict(), heads)
