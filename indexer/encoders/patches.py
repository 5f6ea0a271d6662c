"""Visual tokens from the tower that runs anyway: its last patches, beside the embeddings, from one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from indexer.encoders.open_clip import OpenClipEncoder, TowerForward
from indexer.errors import ModelError
from indexer.types import Pixels, Vectors

_MAX_GRID_SIDE = 7
_MAX_DIFFERENCE = 1e-3


class PatchTokenEncoder:
    """The patches of an open_clip tower as an `indexer.ports.TokenEncoder`.

    Every tower that open_clip can ask for its intermediates serves: its own ViTs and ResNets, timm's. The patches of
    the last layer, normalised where the tower does that, class token left out, are averaged to a grid of at most 7×7.
    Errors, at first use: ModelError where the tower has none.
    """

    def __init__(self, encoder: OpenClipEncoder) -> None:
        self._encoder = encoder

    @property
    def model_id(self) -> str:
        return f"{self._encoder.model_id}#patches{_MAX_GRID_SIDE}x{_MAX_GRID_SIDE}"

    @property
    def positions(self) -> int:
        return self._shape[0]

    @property
    def width(self) -> int:
        return self._shape[1]

    def encode(self, pictures: Sequence[Pixels]) -> tuple[Vectors, NDArray[np.float32]]:
        """The visual lane's embeddings, bit for bit those of `encode_images`, and the tokens."""
        token_batches = [np.empty((0, *self._shape), np.float32)]
        vectors = self._encoder.encode_images(pictures, _capture_tokens(token_batches))
        return vectors, np.concatenate(token_batches)

    @cached_property
    def _shape(self) -> tuple[int, int]:
        """Positions and width, from one black picture; and whether the tower gives what it gives otherwise."""
        black = [np.zeros((8, 8, 3), np.uint8)]
        tokens: list[NDArray[np.float32]] = []
        expected = self._encoder.encode_images(black)
        try:
            found = self._encoder.encode_images(black, _capture_tokens(tokens))
        except Exception as error:
            raise ModelError(self._unsupported_message) from error
        if np.abs(found - expected).max() > _MAX_DIFFERENCE:
            raise ModelError(self._unsupported_message)
        _, positions, width = tokens[0].shape
        return positions, width

    @property
    def _unsupported_message(self) -> str:
        name = self._encoder.model_id
        return f"{name}: its image tower gives no grid of patches to make a memory of; switch the memory off"


def _capture_tokens(tokens: list[NDArray[np.float32]]) -> TowerForward:
    """Runs a tower as it runs itself, and keeps the tokens of each batch."""

    def forward(tower: Any, batch: Tensor) -> Tensor:  # noqa: ANN401 (open_clip has no types)
        norm = getattr(tower, "attn_pool", None) is None  # with attention pooling the last norm comes after it
        outputs = tower.forward_intermediates(batch, indices=1, normalize_intermediates=norm, output_fmt="NCHW")
        tokens.append(_pool(outputs["image_intermediates"][-1]))
        features: Tensor = outputs["image_features"]
        return features

    return forward


def _pool(grid: Tensor) -> NDArray[np.float32]:
    """`[n, positions, width]`, positions by rows."""
    rows, columns = (min(_MAX_GRID_SIDE, side) for side in grid.shape[-2:])
    pooled = functional.adaptive_avg_pool2d(grid.float(), (rows, columns))
    return np.ascontiguousarray(pooled.flatten(2).transpose(1, 2).cpu().numpy(), np.float32)
