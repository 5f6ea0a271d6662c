"""Visual tokens that have ids, so that what takes ids alone can read them: beyond the vocabulary they name a store."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from indexer.errors import ModelError

_MAX_ID = 2**31 - 1
"""Batches keep ids in 32 bits."""


class VisualEmbedding(nn.Module):
    """A model's input embedding that looks up visual tokens too: `[..., n]` ids to `[..., n, D]`.

    The first id that is no word's is `first`; `rows` is `[room, D]`, and id i stands for row (i − first) % room.
    """

    def __init__(self, word_embedding: Any, visual_rows: Tensor) -> None:  # noqa: ANN401 - a module of any model
        super().__init__()
        self.word_embedding = word_embedding
        self.visual_rows = visual_rows
        self.first_visual_id = int(word_embedding.weight.shape[0])

    @property
    def weight(self) -> Tensor:
        """The words' own rows, `[V, D]`."""
        weight: Tensor = self.word_embedding.weight
        return weight

    def forward(self, ids: Tensor) -> Tensor:
        words = self.word_embedding(ids.clamp(max=self.first_visual_id - 1))
        seen = self.visual_rows[(ids - self.first_visual_id).clamp(min=0) % len(self.visual_rows)]
        return torch.where((ids >= self.first_visual_id)[..., None], seen, words)


class VisualVocabulary:
    """Room for `room` visual tokens of width D, each of which gets an id that no other token had before it.

    Blocks of keys and values are found again by their ids, so two tokens may never share one. Ids do return, after
    some thousand times as many tokens as there is room for, which is far more than any cache of blocks holds.
    """

    def __init__(self, word_embedding: Any, capacity: int) -> None:  # noqa: ANN401 - a module of any model
        weight = word_embedding.weight
        self.embedding = VisualEmbedding(
            word_embedding, torch.zeros(capacity, weight.shape[1], dtype=weight.dtype).to(weight.device)
        )
        self._free_rows = deque(range(capacity))
        self._use_counts = [0] * capacity
        self._max_uses = (_MAX_ID - self.embedding.first_visual_id) // capacity
        self._lock = threading.Lock()

    @property
    def free_count(self) -> int:
        """How many more tokens there is room for."""
        return len(self._free_rows)

    def add(self, tokens: Tensor) -> list[int]:
        """Store `[n, D]` tokens; their ids. Errors: ModelError where there is no room."""
        with self._lock:
            if len(tokens) > len(self._free_rows):
                raise ModelError(f"{len(tokens)} visual tokens, and room for {len(self._free_rows)}")
            places = [self._free_rows.popleft() for _ in range(len(tokens))]
            ids = [self._next_id(place) for place in places]
        rows = self.embedding.visual_rows
        rows[torch.tensor(places, dtype=torch.long, device=rows.device)] = tokens.to(rows.device, rows.dtype)
        if rows.is_cuda:
            torch.cuda.current_stream(rows.device).synchronize()
        return ids

    def release(self, ids: Sequence[int]) -> None:
        """Give the room of these ids back; those of words are passed over."""
        first, room = self.embedding.first_visual_id, len(self._use_counts)
        with self._lock:
            self._free_rows.extend((one - first) % room for one in ids if one >= first)

    def _next_id(self, row: int) -> int:
        use = self._use_counts[row]
        self._use_counts[row] = (use + 1) % self._max_uses
        return self.embedding.first_visual_id + use * len(self._use_counts) + row
