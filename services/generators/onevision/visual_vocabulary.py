"""Visual tokens as ids beyond the vocabulary, for continuous batching, which takes token ids alone (decision 0026)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from indexer.errors import ModelError

_MAX_ID = 2**31 - 1
"""Source: transformers' continuous batching keeps ids as signed 32-bit integers."""


class VisualEmbedding(nn.Module):
    """Input embedding of a model that also looks up visual tokens: ids `[..., n]` to `[..., n, D]`.

    `visual_rows` is `[capacity, D]`. Ids from `first_visual_id` on are visual: id i is row
    (i − first_visual_id) % capacity.
    """

    def __init__(self, word_embedding: Any, visual_rows: Tensor) -> None:  # noqa: ANN401 - a module of any model
        super().__init__()
        self.word_embedding = word_embedding
        self.visual_rows = visual_rows
        self.first_visual_id = int(word_embedding.weight.shape[0])

    @property
    def weight(self) -> Tensor:
        """Embeddings of the text vocabulary, `[V, D]`."""
        weight: Tensor = self.word_embedding.weight
        return weight

    def forward(self, ids: Tensor) -> Tensor:
        """Return the embeddings of the ids."""
        text = self.word_embedding(ids.clamp(max=self.first_visual_id - 1))
        visual = self.visual_rows[(ids - self.first_visual_id).clamp(min=0) % len(self.visual_rows)]
        return torch.where((ids >= self.first_visual_id)[..., None], visual, text)


class VisualVocabulary:
    """Store of up to `capacity` visual tokens of width D, each with an id that no earlier token had. Thread-safe.

    Cached blocks of keys and values are looked up by their ids, so that two tokens must never share one. Ids repeat
    after some thousand times `capacity` tokens, which is far more than any cache of blocks holds.
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
        """Number of tokens that can still be added."""
        return len(self._free_rows)

    def add(self, tokens: Tensor) -> list[int]:
        """Store tokens `[n, D]`; return their ids. Errors: ModelError where there is no room."""
        with self._lock:
            if len(tokens) > len(self._free_rows):
                raise ModelError(f"{len(tokens)} visual tokens, and room for {len(self._free_rows)}")
            row_numbers = [self._free_rows.popleft() for _ in range(len(tokens))]
            ids = [self._next_id(row) for row in row_numbers]
        rows = self.embedding.visual_rows
        rows[torch.tensor(row_numbers, dtype=torch.long, device=rows.device)] = tokens.to(rows.device, rows.dtype)
        if rows.is_cuda:
            torch.cuda.current_stream(rows.device).synchronize()
        return ids

    def release(self, ids: Sequence[int]) -> None:
        """Free the rows of these ids; ids of text are ignored."""
        first_id, capacity = self.embedding.first_visual_id, len(self._use_counts)
        with self._lock:
            self._free_rows.extend((token - first_id) % capacity for token in ids if token >= first_id)

    def _next_id(self, row: int) -> int:
        """Return an id of the row that it has not had before."""
        use = self._use_counts[row]
        self._use_counts[row] = (use + 1) % self._max_uses
        return self.embedding.first_visual_id + use * len(self._use_counts) + row
