"""Token encoder for memories in the generator's own token space, so that it reads their slots without encoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.types import Pixels
from services.generators.onevision.vision import VisionEncoder


class OneVisionTokenEncoder:
    """`indexer.ports.TokenEncoder` on the vision encoder of a checkpoint.

    `vision` returns the encoder of the checkpoint `model_id` and is called at first use. A picture becomes at most
    `max_tokens` tokens, pooled and projected.
    """

    def __init__(self, model_id: str, vision: Callable[[], VisionEncoder], max_tokens: int) -> None:
        self._model_id, self._vision, self._max_tokens = model_id, vision, max_tokens

    @property
    def model_id(self) -> str:
        """Identifier of the checkpoint and the number of tokens."""
        return f"{self._model_id}/{self._max_tokens}"

    @property
    def positions(self) -> int:
        """Tokens of a picture, P."""
        return self._vision().count_frame_tokens(self._max_tokens)

    @property
    def width(self) -> int:
        """Width of a token, D."""
        return self._vision().width

    def encode(self, pictures: Sequence[Pixels]) -> tuple[None, NDArray[np.float32]]:
        """Return no embeddings, and the visual tokens of the pictures, `[n, P, D]`."""
        if not pictures:
            return None, np.empty((0, self.positions, self.width), np.float32)
        frames = self._vision().encode_frames(pictures, self._max_tokens)
        return None, np.stack([frame.float().cpu().numpy() for frame in frames])
