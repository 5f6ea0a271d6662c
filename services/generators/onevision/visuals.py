"""Visual tokens that have ids, so that what takes ids alone can read them: beyond the vocabulary they name a store."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from indexer.errors import ModelError

_MOST_ID = 2**31 - 1
"""Batches keep ids in 32 bits."""


class VisualEmbedding(nn.Module):
    """A model's input embedding that looks up visual tokens too: `[..., n]` ids to `[..., n, D]`.

    The first id that is no word's is `first`; `rows` is `[room, D]`, and id i stands for row (i − first) % room.
    """

    def __init__(self, words: Any, rows: Tensor) -> None:  # noqa: ANN401 - a module of any model
        super().__init__()
        self.words = words
        self.rows = rows
        self.first = int(words.weight.shape[0])

    @property
    def weight(self) -> Tensor:
        """The words' own rows, `[V, D]`."""
        weight: Tensor = self.words.weight
        return weight

    def forward(self, ids: Tensor) -> Tensor:
        words = self.words(ids.clamp(max=self.first - 1))
        seen = self.rows[(ids - self.first).clamp(min=0) % len(self.rows)]
        return torch.where((ids >= self.first)[..., None], seen, words)


class VisualStore:
    """Room for `room` visual tokens of width D, each of which gets an id that no other token had before it.

    Blocks of keys and values are found again by their ids, so two tokens may never share one. Ids do return, after
    some thousand times as many tokens as there is room for, which is far more than any cache of blocks holds.
    """

    def __init__(self, words: Any, room: int) -> None:  # noqa: ANN401 - a module of any model
        weight = words.weight
        self.embedding = VisualEmbedding(
            words, torch.zeros(room, weight.shape[1], dtype=weight.dtype).to(weight.device)
        )
        self._free = deque(range(room))
        self._uses = [0] * room
        self._most_uses = (_MOST_ID - self.embedding.first) // room
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """How many more tokens there is room for."""
        return len(self._free)

    def put(self, tokens: Tensor) -> list[int]:
        """Store `[n, D]` tokens; their ids. Errors: ModelError where there is no room."""
        with self._lock:
            if len(tokens) > len(self._free):
                raise ModelError(f"{len(tokens)} visual tokens, and room for {len(self._free)}")
            places = [self._free.popleft() for _ in range(len(tokens))]
            ids = [self._id(place) for place in places]
        rows = self.embedding.rows
        rows[torch.tensor(places, dtype=torch.long, device=rows.device)] = tokens.to(rows.device, rows.dtype)
        if rows.is_cuda:
            torch.cuda.current_stream(rows.device).synchronize()
        return ids

    def drop(self, ids: Sequence[int]) -> None:
        """Give the room of these ids back; those of words are passed over."""
        first, room = self.embedding.first, len(self._uses)
        with self._lock:
            self._free.extend((one - first) % room for one in ids if one >= first)

    def _id(self, place: int) -> int:
        use = self._uses[place]
        self._uses[place] = (use + 1) % self._most_uses
        return self.embedding.first + use * len(self._uses) + place
