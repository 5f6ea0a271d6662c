"""Stages 2 and 3: image-text alignment by the sigmoid loss.

The truth of every text about every picture of a batch is known, so the sigmoid loss (Zhai et al., arXiv 2303.15343) is
taken over all pairs with their true labels. First the text tower is trained with a frozen image tower, which is quick;
then both are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from demoworld.train.captions import CaptionBatches, CaptionedBatch
from demoworld.train.open_clip_model import load_weights, make_model, save_model
from demoworld.train.scene_batches import load_in_worker
from demoworld.train.trainer import DEVICE, Trainer, autocast, normalize_pixels


@dataclass(frozen=True, slots=True)
class AlignmentConfig:
    """Configuration of an alignment stage; `image_tower_lr_scale` scales the image tower's rate, 0 freezes it."""

    name: str
    seed: int
    batch_size: int
    steps: int
    peak_learning_rate: float
    image_tower_lr_scale: float


TEXT_ALIGNMENT = AlignmentConfig(
    "02-text-alignment", seed=2, batch_size=64, steps=800, peak_learning_rate=3e-3, image_tower_lr_scale=0.0
)
JOINT_TUNING = AlignmentConfig(
    "03-joint-tuning", seed=3, batch_size=64, steps=900, peak_learning_rate=8e-4, image_tower_lr_scale=1.0
)


class ContrastiveModel(nn.Module):
    """Both towers, and the loss over all pairs of a text and a picture."""

    def __init__(self, weights: Path, stage: AlignmentConfig) -> None:
        super().__init__()
        self.model = make_model(stage.seed)
        load_weights(self.model, weights)
        for parameter in self.model.visual.parameters():
            parameter.requires_grad = stage.image_tower_lr_scale > 0
            parameter.share = stage.image_tower_lr_scale  # read by trainer._make_optimizers

    def forward(self, batch: CaptionedBatch) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch, and its figures to log."""
        with autocast():
            pictures = self.model.encode_image(normalize_pixels(batch.pictures.pixels))
            texts = self.model.encode_text(batch.ids.to(DEVICE))
        cosines = functional.normalize(texts.float(), dim=-1) @ functional.normalize(pictures.float(), dim=-1).T
        logits = cosines * self.model.logit_scale.exp() + self.model.logit_bias
        labels, label_mask = batch.labels.to(DEVICE), batch.label_mask.to(DEVICE)
        losses = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none") * label_mask
        loss = losses.sum(1).mean()
        return loss, _pair_metrics(logits.detach(), labels, label_mask) | {"loss": loss.item()}


def _pair_metrics(logits: Tensor, labels: Tensor, label_mask: Tensor) -> dict[str, float]:
    yes, holds = (logits > 0).float() * label_mask, labels * label_mask
    hits = (yes * holds).sum()
    return {"recall": float(hits / holds.sum()), "precision": float(hits / yes.sum().clamp(min=1))}


def train(stage: AlignmentConfig, start: Path, work: Path, target: Path) -> None:
    """Run or resume a stage; writes the model to `target`.

    It starts from the weights in `start` and keeps its state in `work`.
    """
    model = ContrastiveModel(start, stage)
    trainer = Trainer(work / f"{stage.name}.pt", model, stage.steps, stage.peak_learning_rate)
    batches = CaptionBatches(stage.seed, stage.batch_size, stage.steps, start, trainer.step)
    for batch in load_in_worker(batches):
        trainer.train_step(*model(batch))
    save_model(model.model, target)
