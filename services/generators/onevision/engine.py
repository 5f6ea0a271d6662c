"""The language model at work: prompts of words and visual tokens in, logits and words out.

A prompt is a row of parts, word ids and visual tokens in any order; both become embeddings, so that tokens that were
computed long ago are read as pixels would be. Positions are plain, one a token.
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
"""Word ids, or visual tokens `[n, D]`."""


def count_tokens(parts: Sequence[PromptPart]) -> int:
    """How many tokens the parts are."""
    return sum(len(part) for part in parts)


@dataclass(slots=True)
class Prefix:
    """What the model has read already: its keys and values, and how many tokens they are of."""

    cache: Any
    token_count: int

    @property
    def size_bytes(self) -> int:
        """The memory it takes."""
        return sum(layer.keys.nbytes + layer.values.nbytes for layer in self.cache.layers if layer.is_initialized)


class Engine:
    """Reads prompts in chunks of `chunk` tokens, which bounds what reading takes besides the cache. Not for several
    threads at once."""

    def __init__(self, checkpoint: OneVisionCheckpoint, chunk_tokens: int = 1024) -> None:
        self._model, self._device, self._dtype, self._chunk_tokens = (
            checkpoint.model,
            checkpoint.device,
            checkpoint.dtype,
            chunk_tokens,
        )

    def embed(self, parts: Sequence[PromptPart]) -> Tensor:
        """The parts as one row of embeddings, `[n, D]`."""
        words = self._model.get_input_embeddings()
        rows = [
            part.to(self._device, self._dtype)
            if isinstance(part, Tensor)
            else words(torch.tensor(part, dtype=torch.long, device=self._device))
            for part in parts
        ]
        return torch.cat(rows)

    def new_prefix(self) -> Prefix:
        """Nothing read yet."""
        from transformers import DynamicCache

        return Prefix(DynamicCache(config=self._model.config.text_config), 0)

    def prefill(self, parts: Sequence[PromptPart], prefix: Prefix) -> Tensor:
        """Read on behind `prefix`, which grows by the parts (at least one token); logits of the next word, `[V]`."""
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
        """Forget all but the first `tokens` tokens."""
        for layer in prefix.cache.layers:
            if (extra := layer.get_seq_length() - token_count) > 0:
                layer.crop(-extra)
        prefix.token_count = min(prefix.token_count, token_count)

    def generate(
        self, parts: Sequence[PromptPart], prefix: Prefix, max_output_tokens: int, stop_ids: frozenset[int]
    ) -> Iterator[int]:
        """Read the parts behind `prefix`, then the likeliest words one after the other, `limit` at most, until one of
        `ends`, which is not given. The prefix holds all that was read and written afterwards; `rewind` it."""
        logits = self.prefill(parts, prefix)
        for count in range(max_output_tokens):
            word = int(logits.argmax())
            if word in stop_ids:
                return
            yield word
            if count + 1 < max_output_tokens:
                logits = self.prefill([(word,)], prefix)

    def next_logits(self, prompts: Sequence[Sequence[PromptPart]]) -> Tensor:
        """The logits for what comes after each of several prompts of any lengths, read together, `[n, V]`."""
        rows = [self.embed(parts) for parts in prompts]
        longest = max(len(row) for row in rows)
        padded = torch.stack([torch.cat([row.new_zeros(longest - len(row), row.shape[1]), row]) for row in rows])
        mask = torch.stack([torch.arange(longest) >= longest - len(row) for row in rows]).to(self._device)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        with torch.inference_mode():
            out = self._model.model.language_model(
                inputs_embeds=padded, attention_mask=mask.long(), position_ids=positions, use_cache=False
            )
            logits: Tensor = self._model.lm_head(out.last_hidden_state[:, -1]).float()
        return logits
