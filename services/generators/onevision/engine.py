"""Greedy decoding with the checkpoint's language model, on prompts of text and visual tokens (decision 0028).

A prompt is a sequence of parts, token ids and visual tokens in any order; both become embeddings, so that visual tokens
computed long ago are read as pixels would be. Positions count tokens of both kinds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from services.generators.onevision.checkpoint import OneVisionCheckpoint

TokenIds: TypeAlias = tuple[int, ...]
PromptPart: TypeAlias = TokenIds | Tensor
"""Token ids of a text, or visual tokens `[n, D]`."""


def count_tokens(parts: Sequence[PromptPart]) -> int:
    """Return the number of tokens of the parts together."""
    return sum(len(part) for part in parts)


@dataclass(slots=True)
class Prefix:
    """Cached keys and values of a prefilled prefix, and its length in tokens."""

    cache: Any
    token_count: int

    @property
    def size_bytes(self) -> int:
        """Size of the keys and values in bytes."""
        return sum(layer.keys.nbytes + layer.values.nbytes for layer in self.cache.layers if layer.is_initialized)


class Engine:
    """Prefill and greedy decoding on a checkpoint.

    Prompts are prefilled in chunks of `chunk_tokens`, which bounds the memory besides the cache. Not thread-safe.
    """

    def __init__(self, checkpoint: OneVisionCheckpoint, chunk_tokens: int = 1024) -> None:
        self._model, self._device = checkpoint.model, checkpoint.device
        self._dtype, self._chunk_tokens = checkpoint.dtype, chunk_tokens

    def embed(self, parts: Sequence[PromptPart]) -> Tensor:
        """Return the embeddings of the parts, `[n, D]`."""
        embed_ids = self._model.get_input_embeddings()
        rows = [
            part.to(self._device, self._dtype)
            if isinstance(part, Tensor)
            else embed_ids(torch.tensor(part, dtype=torch.long, device=self._device))
            for part in parts
        ]
        return torch.cat(rows)

    def new_prefix(self) -> Prefix:
        """Return an empty prefix."""
        from transformers import DynamicCache

        return Prefix(DynamicCache(config=self._model.config.text_config), 0)

    def prefill(self, parts: Sequence[PromptPart], prefix: Prefix) -> Tensor:
        """Append the parts (at least one token) to the prefix; return the logits of the next token, `[V]`."""
        rows = self.embed(parts)
        with torch.inference_mode():
            for chunk in torch.split(rows, self._chunk_tokens):
                out = self._model.model.language_model(
                    inputs_embeds=chunk[None], past_key_values=prefix.cache, use_cache=True
                )
                hidden = out.last_hidden_state[0]
                prefix.token_count += len(chunk)
            logits: Tensor = self._model.lm_head(hidden[-1]).float()
        return logits

    def truncate(self, prefix: Prefix, token_count: int) -> None:
        """Drop all but the first `token_count` tokens of the prefix."""
        for layer in prefix.cache.layers:
            if (extra := layer.get_seq_length() - token_count) > 0:
                layer.crop(-extra)
        prefix.token_count = min(prefix.token_count, token_count)

    def generate(
        self, parts: Sequence[PromptPart], prefix: Prefix, max_output_tokens: int, stop_ids: frozenset[int]
    ) -> Iterator[int]:
        """Yield the ids of the greedy answer, `max_output_tokens` at most, up to one of `stop_ids`.

        The prefix then holds the parts and the answer; `truncate` it before it is used again.
        """
        logits = self.prefill(parts, prefix)
        for count in range(max_output_tokens):
            token = int(logits.argmax())
            if token in stop_ids:
                return
            yield token
            if count + 1 < max_output_tokens:
                logits = self.prefill([(token,)], prefix)

    def next_logits(self, prompts: Sequence[Sequence[PromptPart]]) -> Tensor:
        """Return the next-token logits of prompts of any lengths, computed as one left-padded batch, `[n, V]`."""
        rows = [self.embed(parts) for parts in prompts]
        length = max(len(row) for row in rows)
        padded = torch.stack([torch.cat([row.new_zeros(length - len(row), row.shape[1]), row]) for row in rows])
        mask = torch.stack([torch.arange(length) >= length - len(row) for row in rows]).to(self._device)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        with torch.inference_mode():
            out = self._model.model.language_model(
                inputs_embeds=padded, attention_mask=mask.long(), position_ids=positions, use_cache=False
            )
            logits: Tensor = self._model.lm_head(out.last_hidden_state[:, -1]).float()
        return logits
