"""Patch tokens that name what covers them: dense labels, which the drawn world gives for nothing."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from demoworld.train.batches import CONCEPTS, NONE, PLACE_COUNT, TOKEN_CLASSES, Pictures, held_out
from demoworld.train.model import WIDTH

_NEVER = -1e4


class TokenNames(nn.Module):
    """A head that is thrown away after training. Concepts that are held out in a place do not compete there."""

    held_out: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(WIDTH, TOKEN_CLASSES)
        self.register_buffer("held_out", functional.pad(held_out(), (0, PLACE_COUNT)), persistent=False)

    def forward(self, tokens: Tensor, pictures: Pictures) -> tuple[Tensor, float]:
        """The loss over tokens `[n, 64, WIDTH]`, and the share of those in the foreground that are named rightly."""
        named = self.head(tokens).float().masked_fill(self.held_out[pictures.place][:, None], _NEVER)
        loss = functional.cross_entropy(named.flatten(0, 1), pictures.tokens.flatten(), ignore_index=NONE)
        front = (pictures.tokens < CONCEPTS) & (pictures.tokens != NONE)
        return loss, (named.detach().argmax(-1) == pictures.tokens)[front].float().mean().item()
