"""`OneVisionTokens`: a memory made of the generator's own visual tokens, which are read as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.types import Pixels
from services.generators.onevision.vision import Vision


class OneVisionTokens:
    """See `indexer.ports.TokenEncoder`. `vision` gives the eyes of the checkpoint `model_id` when they are first
    needed; a picture becomes at most `tokens` tokens, pooled and projected."""

    def __init__(self, model_id: str, vision: Callable[[], Vision], tokens: int) -> None:
        self._model_id, self._vision, self._tokens = model_id, vision, tokens

    @property
    def model_id(self) -> str:
        return f"{self._model_id}/{self._tokens}"

    @property
    def positions(self) -> int:
        return self._vision().count(self._tokens)

    @property
    def width(self) -> int:
        return self._vision().width

    def encode(self, pictures: Sequence[Pixels]) -> tuple[None, NDArray[np.float32]]:
        if not pictures:
            return None, np.empty((0, self.positions, self.width), np.float32)
        frames = self._vision().frames(pictures, self._tokens)
        return None, np.stack([frame.float().cpu().numpy() for frame in frames])
