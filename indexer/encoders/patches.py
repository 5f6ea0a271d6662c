"""Visual tokens from an open_clip image tower: patches and embeddings from one forward pass (decision 0021)."""

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
"""Chosen: 49 tokens a picture; a finer grid keeps more detail and costs memory, disk and prompt with its square."""

_MAX_DIFFERENCE = 1e-3
"""Chosen: above rounding in half precision, far below another tower's output (values of unit vectors)."""


class PatchTokenEncoder:
    """`TokenEncoder` on the patches of an open_clip image tower.

    Every tower with `forward_intermediates` works: open_clip's ViTs and ResNets, timm's towers. The patches of the
    last layer, normalised where the tower normalises them, without the class token, are averaged to a grid of at most
    7×7. Errors, at first use: ModelError where the tower has no grid of patches.
    """

    def __init__(self, encoder: OpenClipEncoder) -> None:
        self._encoder = encoder

    @property
    def model_id(self) -> str:
        """Identifier of weights and pooling."""
        return f"{self._encoder.model_id}#patches{_MAX_GRID_SIDE}x{_MAX_GRID_SIDE}"

    @property
    def positions(self) -> int:
        """Number of tokens of a picture."""
        return self._shape[0]

    @property
    def width(self) -> int:
        """Width of a token."""
        return self._shape[1]

    def encode(self, pictures: Sequence[Pixels]) -> tuple[Vectors, NDArray[np.float32]]:
        """Return embeddings, bit for bit those of `encode_images`, and tokens `[n, positions, width]`."""
        token_batches = [np.empty((0, *self._shape), np.float32)]
        vectors = self._encoder.encode_images(pictures, _capture_tokens(token_batches))
        return vectors, np.concatenate(token_batches)

    @cached_property
    def _shape(self) -> tuple[int, int]:
        """Positions and width, measured on one black picture.

        Errors: ModelError where the tower has no patches, or its embeddings change when they are read.
        """
        black = [np.zeros((8, 8, 3), np.uint8)]
        tokens: list[NDArray[np.float32]] = []
        expected = self._encoder.encode_images(black)
        try:
            embeddings = self._encoder.encode_images(black, _capture_tokens(tokens))
        except Exception as error:
            raise ModelError(self._unsupported_message) from error
        if np.abs(embeddings - expected).max() > _MAX_DIFFERENCE:
            raise ModelError(self._unsupported_message)
        _, positions, width = tokens[0].shape
        return positions, width

    @property
    def _unsupported_message(self) -> str:
        name = self._encoder.model_id
        return f"{name}: its image tower gives no grid of patches to make a memory of; switch the memory off"


def _capture_tokens(tokens: list[NDArray[np.float32]]) -> TowerForward:
    """Return a forward pass that appends the tokens of each batch to `tokens` and leaves the features unchanged."""

    def forward(tower: Any, batch: Tensor) -> Tensor:  # noqa: ANN401 (open_clip has no types)
        norm = getattr(tower, "attn_pool", None) is None  # with attention pooling the last norm comes after it
        outputs = tower.forward_intermediates(batch, indices=1, normalize_intermediates=norm, output_fmt="NCHW")
        tokens.append(_pool(outputs["image_intermediates"][-1]))
        features: Tensor = outputs["image_features"]
        return features

    return forward


def _pool(grid: Tensor) -> NDArray[np.float32]:
    """Average a grid of patches `[n, width, rows, columns]` to tokens `[n, positions, width]`, positions row by row."""
    rows, columns = (min(_MAX_GRID_SIDE, side) for side in grid.shape[-2:])
    pooled = functional.adaptive_avg_pool2d(grid.float(), (rows, columns))
    return np.ascontiguousarray(pooled.flatten(2).transpose(1, 2).cpu().numpy(), np.float32)
