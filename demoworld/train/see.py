"""Stage 1: the image tower learns to name what it sees.

Every patch token names the concept that covers it, or the place behind; the pooled embedding is compared, by the
sigmoid loss (Zhai et al., arXiv 2303.15343), with one vector for each concept, place and time of day. Labels are free
here, and dense ones teach much faster than captions do.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from demoworld.train.batches import (
    ATTRIBUTES,
    CONCEPTS,
    PLACE_COUNT,
    TOKEN_CLASSES,
    PictureBatches,
    Pictures,
    held_out,
    in_worker,
)
from demoworld.train.model import EMBED_DIM, WIDTH, make_model, save_model
from demoworld.train.running import Run, autocast, normalised

SEED, BATCH, STEPS, PEAK = 1, 64, 4200, 3e-3


class Seer(nn.Module):
    """The image tower with two heads that are thrown away after this stage."""

    never: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.model = make_model(SEED)
        self.model.visual.output_tokens = True
        self.name_tokens = nn.Linear(WIDTH, TOKEN_CLASSES)
        self.attributes = nn.Parameter(torch.randn(ATTRIBUTES, EMBED_DIM))
        self.scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.bias = nn.Parameter(torch.tensor(-4.0))
        self.register_buffer("never", functional.pad(held_out(), (0, PLACE_COUNT)), persistent=False)

    def forward(self, pictures: Pictures) -> tuple[Tensor, dict[str, float]]:
        with autocast():
            pooled, tokens = self.model.visual(normalised(pictures.pixels))
            named = self.name_tokens(tokens)
        possible = named.float().masked_fill(self.never[pictures.place][:, None], -1e4)
        dense = functional.cross_entropy(possible.flatten(0, 1), pictures.tokens.flatten())
        present, known = pictures.attributes()
        cosines = functional.normalize(pooled.float(), dim=-1) @ functional.normalize(self.attributes, dim=-1).T
        logits = cosines * self.scale.exp() + self.bias
        each = functional.binary_cross_entropy_with_logits(logits, present, reduction="none") * known
        loss = dense + each.sum(1).mean() / 4
        return loss, _figures(named, pictures, dense, each)


def _figures(named: Tensor, pictures: Pictures, dense: Tensor, each: Tensor) -> dict[str, float]:
    with torch.no_grad():
        front = pictures.tokens < CONCEPTS
        right = (named.argmax(-1) == pictures.tokens)[front].float().mean()
    return {"tokens": float(right), "dense": dense.item(), "pooled": each.sum(1).mean().item()}


def train(work: Path, target: Path) -> None:
    """Run the stage, or go on with it, keeping its state in `work`; the model goes to `target`."""
    seer = Seer()
    run = Run(work / "see.pt", seer, STEPS, PEAK)
    for pictures in in_worker(PictureBatches(SEED, BATCH, STEPS, run.step)):
        run.advance(*seer(pictures))
    seer.model.visual.output_tokens = False
    save_model(seer.model, target)
