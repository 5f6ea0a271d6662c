"""Stage 1: train the image tower by dense token labels.

Every patch token is classified by the concept that covers it, or else the place; the pooled embedding is compared, by
the sigmoid loss (Zhai et al., arXiv 2303.15343), with one vector for each concept, place and time of day. Labels are
free here, and dense ones teach much faster than captions do.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from demoworld.train.open_clip_model import EMBED_DIM, make_model, save_model
from demoworld.train.scene_batches import ATTRIBUTE_COUNT, PictureBatch, PictureBatches, load_in_worker
from demoworld.train.token_labels import TokenLabelHead
from demoworld.train.trainer import DEVICE, Trainer, autocast, normalize_pixels

NAME = "01-token-labels"
SEED, BATCH_SIZE, STEPS, PEAK_LEARNING_RATE = 1, 64, 4200, 3e-3


class VisionStageModel(nn.Module):
    """The image tower with two heads that are discarded after this stage."""

    def __init__(self) -> None:
        super().__init__()
        self.model = make_model(SEED)
        self.model.visual.output_tokens = True
        self.names = TokenLabelHead()
        self.attributes = nn.Parameter(torch.randn(ATTRIBUTE_COUNT, EMBED_DIM))
        self.scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.bias = nn.Parameter(torch.tensor(-4.0))

    def forward(self, pictures: PictureBatch) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch, and its figures to log."""
        with autocast():
            pooled, tokens = self.model.visual(normalize_pixels(pictures.pixels))
            dense, token_accuracy = self.names(tokens, pictures)
        present, label_mask = pictures.attribute_labels()
        cosines = functional.normalize(pooled.float(), dim=-1) @ functional.normalize(self.attributes, dim=-1).T
        logits = cosines * self.scale.exp() + self.bias
        losses = functional.binary_cross_entropy_with_logits(logits, present, reduction="none") * label_mask
        pooled_loss = losses.sum(1).mean()
        loss = dense + pooled_loss / 4
        return loss, {"tokens": token_accuracy, "dense": dense.item(), "pooled": pooled_loss.item()}


def train(work: Path, target: Path) -> None:
    """Run or resume the stage, keeping its state in `work`; writes the model to `target`."""
    model = VisionStageModel()
    trainer = Trainer(work / f"{NAME}.pt", model, STEPS, PEAK_LEARNING_RATE)
    for pictures in load_in_worker(PictureBatches(SEED, BATCH_SIZE, STEPS, trainer.step)):
        trainer.train_step(*model(pictures.to(DEVICE)))
    model.model.visual.output_tokens = False
    save_model(model.model, target)
