"""Dense token labels: classification of every patch token by what covers it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from demoworld.train.open_clip_model import WIDTH
from demoworld.train.scene_batches import (
    CONCEPT_COUNT,
    NO_LABEL,
    PATCH_CLASS_COUNT,
    PLACE_COUNT,
    PictureBatch,
    held_out_mask,
)

_MASKED_LOGIT = -1e4


class TokenLabelHead(nn.Module):
    """A classifier that is discarded after training; concepts held out in a place do not compete there."""

    held_out: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(WIDTH, PATCH_CLASS_COUNT)
        self.register_buffer("held_out", functional.pad(held_out_mask(), (0, PLACE_COUNT)), persistent=False)

    def forward(self, tokens: Tensor, pictures: PictureBatch) -> tuple[Tensor, float]:
        """Return the loss over tokens `[n, 64, WIDTH]`, and the accuracy on foreground tokens."""
        logits = self.head(tokens).float().masked_fill(self.held_out[pictures.place][:, None], _MASKED_LOGIT)
        loss = functional.cross_entropy(logits.flatten(0, 1), pictures.patch_classes.flatten(), ignore_index=NO_LABEL)
        front = (pictures.patch_classes < CONCEPT_COUNT) & (pictures.patch_classes != NO_LABEL)
        return loss, (logits.detach().argmax(-1) == pictures.patch_classes)[front].float().mean().item()
