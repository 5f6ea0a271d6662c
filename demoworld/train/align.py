"""Stages 2 and 3: words meet pictures.

The truth of every text about every picture of a batch is known, not only that of its own: the sigmoid loss (Zhai et
al., arXiv 2303.15343) is taken over all pairs with their true labels. First the image tower stands still and the text
tower learns where things lie, which is quick; then both move.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from demoworld.train.batches import in_worker
from demoworld.train.captions import CaptionBatches, Captioned
from demoworld.train.model import load_weights, make_model, save_model
from demoworld.train.running import DEVICE, Run, autocast, normalised


@dataclass(frozen=True, slots=True)
class Stage:
    """`tower_share` is the image tower's share of the learning rate; 0 and it stands still."""

    name: str
    seed: int
    batch: int
    steps: int
    peak: float
    tower_share: float


ALIGN = Stage("align", seed=2, batch=64, steps=800, peak=3e-3, tower_share=0.0)
TUNE = Stage("tune", seed=3, batch=64, steps=900, peak=8e-4, tower_share=1.0)


class Pairs(nn.Module):
    """Both towers, and the loss over all pairs of a text and a picture."""

    def __init__(self, weights: Path, stage: Stage) -> None:
        super().__init__()
        self.model = make_model(stage.seed)
        load_weights(self.model, weights)
        for parameter in self.model.visual.parameters():
            parameter.requires_grad = stage.tower_share > 0
            parameter.share = stage.tower_share  # read by running._groups

    def forward(self, batch: Captioned) -> tuple[Tensor, dict[str, float]]:
        with autocast():
            pictures = self.model.encode_image(normalised(batch.pictures.pixels))
            texts = self.model.encode_text(batch.ids.to(DEVICE))
        cosines = functional.normalize(texts.float(), dim=-1) @ functional.normalize(pictures.float(), dim=-1).T
        logits = cosines * self.model.logit_scale.exp() + self.model.logit_bias
        true, known = batch.true.to(DEVICE), batch.known.to(DEVICE)
        each = functional.binary_cross_entropy_with_logits(logits, true, reduction="none") * known
        loss = each.sum(1).mean()
        return loss, _figures(logits.detach(), true, known) | {"loss": loss.item()}


def _figures(logits: Tensor, true: Tensor, known: Tensor) -> dict[str, float]:
    yes, holds = (logits > 0).float() * known, true * known
    hits = (yes * holds).sum()
    return {"recall": float(hits / holds.sum()), "precision": float(hits / yes.sum().clamp(min=1))}


def train(stage: Stage, start: Path, work: Path, target: Path) -> None:
    """Run a stage from the weights in `start`, or go on with it, keeping its state in `work`; gives `target`."""
    pairs = Pairs(start, stage)
    run = Run(work / f"{stage.name}.pt", pairs, stage.steps, stage.peak)
    batches = CaptionBatches(stage.seed, stage.batch, stage.steps, start, run.step)
    for batch in in_worker(batches):
        run.advance(*pairs(batch))
    save_model(pairs.model, target)
