"""`OneVisionTokens`: a memory made of the generator's own visual tokens, which are read as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.types import Pixels
from services.generators.onevision.vision import VisionEncoder


class OneVisionTokenEncoder:
    """See `indexer.ports.TokenEncoder`. `vision` gives the eyes of the checkpoint `model_id` when they are first
    needed; a picture becomes at most `tokens` tokens, pooled and projected."""

    def __init__(self, model_id: str, vision: Callable[[], VisionEncoder], max_tokens: int) -> None:
        self._model_id, self._vision, self._max_tokens = model_id, vision, max_tokens

    @property
    def model_id(self) -> str:
        return f"{self._model_id}/{self._max_tokens}"

    @property
    def positions(self) -> int:
        return self._vision().count_frame_tokens(self._max_tokens)

    @property
    def width(self) -> int:
        return self._vision().width

    def encode(self, pictures: Sequence[Pixels]) -> tuple[None, NDArray[np.float32]]:
        if not pictures:
            return None, np.empty((0, self.positions, self.width), np.float32)
        frames = self._vision().encode_frames(pictures, self._max_tokens)
        return None, np.stack([frame.float().cpu().numpy() for frame in frames])
