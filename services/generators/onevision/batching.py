"""Batched generation: prompts of text and visual tokens decoded together, with shared prefixes computed once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from indexer.errors import ModelError
from services.generators.onevision.batch_loop import PAGE_TOKENS, BatchLoop, LoopStopped
from services.generators.onevision.checkpoint import OneVisionCheckpoint, clone_modules
from services.generators.onevision.engine import PromptPart, count_tokens
from services.generators.onevision.visual_vocabulary import VisualVocabulary

_MAX_PREFIXES = 16
"""Chosen: prefixes kept for later prompts, one a video; each may take the room of a whole prompt."""


@dataclass(frozen=True, slots=True)
class BatchPrompt:
    """Prompt in two halves: a prefix that all prompts of `prefix_key` begin with, and a suffix of its own.

    The functions are called when it is the prompt's turn, never two at once; `prefix_parts` only for a new key.
    """

    prefix_key: str
    prefix_parts: Callable[[], Sequence[PromptPart]]
    suffix_parts: Callable[[], Sequence[PromptPart]]


@dataclass(slots=True)
class _SharedPrefix:
    """Ids of a prefix, and the number of running prompts that use it."""

    ids: list[int]
    reference_count: int = 0


class Batcher:
    """Decodes up to `max_batch` prompts of a checkpoint together; further prompts wait for their turn. Thread-safe.

    A prompt with its answer has at most `max_sequence_tokens`; a lower value may be set later and holds from the next
    loop on. `chunk_tokens` are prefilled in one step. Keys and values of shared prefixes are kept, in about
    `cache_bytes` with all that a token of them takes. The checkpoint itself is not changed, so that `Engine` and
    `VisionEncoder` can use it beside the loop. An error in the loop fails all its prompts; the next prompt starts a new
    loop.
    """

    def __init__(
        self,
        checkpoint: OneVisionCheckpoint,
        max_batch: int,
        max_sequence_tokens: int,
        *,
        cache_bytes: int = 0,
        chunk_tokens: int = 1024,
    ) -> None:
        self._checkpoint, self._max_batch, self._chunk_tokens = clone_modules(checkpoint), max_batch, chunk_tokens
        self._cache_bytes, self.max_sequence_tokens = cache_bytes, max_sequence_tokens
        self.visual_vocabulary = VisualVocabulary(checkpoint.model.get_input_embeddings(), self._cache_tokens())
        self._checkpoint.model.set_input_embeddings(self.visual_vocabulary.embedding)
        self._prefixes: OrderedDict[str, _SharedPrefix] = OrderedDict()
        self._admission = threading.Semaphore(max_batch)
        self._prompt_lock, self._lock = threading.Lock(), threading.Lock()
        self._loop: BatchLoop | None = None
        self._closed = False

    def generate(self, prompt: BatchPrompt, max_output_tokens: int, stop_ids: frozenset[int]) -> Iterator[int]:
        """Yield the ids of the greedy answer as they come, `max_output_tokens` at most, up to one of `stop_ids`.

        Closing the iterator cancels the prompt. Errors: ModelError for a prompt that is too long, where the loop
        failed, and when closed; torch.OutOfMemoryError.
        """
        with self._admission:
            prefix, suffix_ids = self._build_ids(prompt)
            try:
                yield from self._generate_ids([*prefix.ids, *suffix_ids], max_output_tokens, stop_ids)
            finally:
                self._release(prefix, suffix_ids)

    def close(self) -> None:
        """Stop the loop for good; prompts that are not finished fail."""
        with self._lock:
            self._closed = True
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()

    def _generate_ids(self, ids: Sequence[int], max_output_tokens: int, stop_ids: frozenset[int]) -> Iterator[int]:
        """Yield the answer to a prompt of ids. Errors: as those of `generate`."""
        if len(ids) + max_output_tokens > self.max_sequence_tokens:
            raise ModelError(
                f"{len(ids)} tokens and {max_output_tokens} of the answer are more than {self.max_sequence_tokens}"
            )
        loop, request_id = self._submit(ids, max_output_tokens, stop_ids)
        try:
            yield from (token for token in loop.stream_tokens(request_id) if token not in stop_ids)
        finally:
            loop.cancel(request_id)

    def _submit(self, ids: Sequence[int], max_output_tokens: int, stop_ids: frozenset[int]) -> tuple[BatchLoop, str]:
        """Submit a prompt, to a new loop where the last one has failed; return the loop and the request id."""
        with self._lock:
            if self._closed:
                raise ModelError("the batching of prompts is closed")
            if self._loop is not None:
                try:
                    return self._loop, self._loop.add(ids, max_output_tokens, stop_ids)
                except LoopStopped:
                    self._loop.stop()
                    self._loop = None
            self._loop = BatchLoop(self._checkpoint, self._max_batch, self._chunk_tokens, self._cache_tokens())
            return self._loop, self._loop.add(ids, max_output_tokens, stop_ids)

    def _build_ids(self, prompt: BatchPrompt) -> tuple[_SharedPrefix, list[int]]:
        """Return the prefix of a prompt, which is shared with other prompts, and the ids of its suffix."""
        with self._prompt_lock:
            prefix = self._acquire_prefix(prompt)
            try:
                return prefix, self._assign_ids(prompt.suffix_parts())
            except BaseException:
                self._release(prefix, [])
                raise

    def _acquire_prefix(self, prompt: BatchPrompt) -> _SharedPrefix:
        """Return the prefix of a prompt, known or new, with one more reference to it."""
        with self._lock:
            known = self._prefixes.get(prompt.prefix_key)
            if known is not None:
                self._prefixes.move_to_end(prompt.prefix_key)
                known.reference_count += 1
                return known
        prefix = _SharedPrefix(self._assign_ids(prompt.prefix_parts()), 1)
        with self._lock:
            self._prefixes[prompt.prefix_key] = prefix
        return prefix

    def _release(self, prefix: _SharedPrefix, suffix_ids: Sequence[int]) -> None:
        """Release the visual tokens of a suffix and the reference to its prefix."""
        self.visual_vocabulary.release(suffix_ids)
        with self._lock:
            prefix.reference_count -= 1

    def _assign_ids(self, parts: Sequence[PromptPart]) -> list[int]:
        """Return the ids of the parts; visual tokens get new ones. Errors: ModelError for too many tokens."""
        if (tokens := count_tokens(parts)) > self.max_sequence_tokens:
            raise ModelError(f"{tokens} tokens are more than {self.max_sequence_tokens}")
        tensors = [part for part in parts if isinstance(part, Tensor)]
        self._evict_prefixes(count_tokens(tensors))
        new_ids = iter(self.visual_vocabulary.add(torch.cat(tensors)) if tensors else ())
        return [token for part in parts for token in (islice(new_ids, len(part)) if isinstance(part, Tensor) else part)]

    def _evict_prefixes(self, tokens: int) -> None:
        """Remove the least recently used prefixes without references until so many visual tokens fit."""
        with self._lock:
            for key, prefix in list(self._prefixes.items()):
                if self.visual_vocabulary.free_count >= tokens and len(self._prefixes) < _MAX_PREFIXES:
                    return
                if not prefix.reference_count:
                    self.visual_vocabulary.release(self._prefixes.pop(key).ids)

    def _cache_tokens(self) -> int:
        """Return the size of the cache in tokens: that of all prompts that run, and of kept prefixes."""
        prefix_tokens = min(self._cache_bytes // self._bytes_per_token(), _MAX_PREFIXES * self.max_sequence_tokens)
        return self._max_batch * self.max_sequence_tokens + prefix_tokens + PAGE_TOKENS

    def _bytes_per_token(self) -> int:
        """Return the bytes of a cached token: keys and values, mask column, row of the visual vocabulary, index."""
        config, itemsize = self._checkpoint.model.config.text_config, self._checkpoint.dtype.itemsize
        head_width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        key_values = 2 * config.num_hidden_layers * config.num_key_value_heads * head_width
        return int(itemsize * (key_values + self._chunk_tokens + config.hidden_size) + 8)
