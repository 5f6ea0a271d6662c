"""Several questions at once: prompts of words and visual tokens decoded together, beginnings read once for all."""

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


@dataclass(frozen=True, slots=True)
class BatchPrompt:
    """What is read before an answer: `shared`, which begins every prompt of this key, then `own`.

    Both are made when it is the prompt's turn, one prompt after the other; `shared` only where the key is new.
    """

    prefix_key: str
    prefix_parts: Callable[[], Sequence[PromptPart]]
    suffix_parts: Callable[[], Sequence[PromptPart]]


@dataclass(slots=True)
class _SharedPrefix:
    ids: list[int]
    reference_count: int = 0


class Batcher:
    """Decodes up to `parallel` prompts of a checkpoint together; others wait for their turn. For several threads.

    Each prompt has at most `longest` tokens, its answer included; less may be set, which the next loop goes by. `chunk`
    tokens are read in one step. Keys and values of shared beginnings stay, in about `cache_bytes` with all that a
    token of them takes; their visual tokens keep their ids as long as there is room. The checkpoint itself stays as it
    is; `Engine` and `Vision` work on beside the loop. An error in the loop reaches all who wait, and the next prompt
    starts a new loop.
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
        """The likeliest words, as they come, `limit` at most, until one of `ends`, which is not given.

        Closing the iterator ends the work on it. Errors: ModelError for a prompt that is too long, where the loop
        failed, and when closed; torch.OutOfMemoryError.
        """
        with self._admission:
            prefix, suffix_ids = self._build_ids(prompt)
            try:
                yield from self._generate_ids([*prefix.ids, *suffix_ids], max_output_tokens, stop_ids)
            finally:
                self._release(prefix, suffix_ids)

    def close(self) -> None:
        """End the loop, failing what it has not finished. Nothing is written afterwards."""
        with self._lock:
            self._closed = True
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()

    def _generate_ids(self, ids: Sequence[int], max_output_tokens: int, stop_ids: frozenset[int]) -> Iterator[int]:
        if len(ids) + max_output_tokens > self.max_sequence_tokens:
            raise ModelError(
                f"{len(ids)} tokens and {max_output_tokens} of the answer are more than {self.max_sequence_tokens}"
            )
        loop, request_id = self._submit(ids, max_output_tokens, stop_ids)
        try:
            yield from (word for word in loop.stream_tokens(request_id) if word not in stop_ids)
        finally:
            loop.cancel(request_id)

    def _submit(self, ids: Sequence[int], max_output_tokens: int, stop_ids: frozenset[int]) -> tuple[BatchLoop, str]:
        """The loop that has taken the prompt, and its name there. A loop that has failed is replaced."""
        with self._lock:
            if self._closed:
                raise ModelError("several questions at once: closed")
            if self._loop is not None:
                try:
                    return self._loop, self._loop.add(ids, max_output_tokens, stop_ids)
                except LoopStopped:
                    self._loop.stop()
                    self._loop = None
            self._loop = BatchLoop(self._checkpoint, self._max_batch, self._chunk_tokens, self._cache_tokens())
            return self._loop, self._loop.add(ids, max_output_tokens, stop_ids)

    def _build_ids(self, prompt: BatchPrompt) -> tuple[_SharedPrefix, list[int]]:
        """The ids of a prompt: of its beginning, which stay as they are for the next, and of the rest."""
        with self._prompt_lock:
            prefix = self._acquire_prefix(prompt)
            try:
                return prefix, self._assign_ids(prompt.suffix_parts())
            except BaseException:
                self._release(prefix, [])
                raise

    def _acquire_prefix(self, prompt: BatchPrompt) -> _SharedPrefix:
        with self._lock:
            kept = self._prefixes.get(prompt.prefix_key)
            if kept is not None:
                self._prefixes.move_to_end(prompt.prefix_key)
                kept.reference_count += 1
                return kept
        made = _SharedPrefix(self._assign_ids(prompt.prefix_parts()), 1)
        with self._lock:
            self._prefixes[prompt.prefix_key] = made
        return made

    def _release(self, prefix: _SharedPrefix, suffix_ids: Sequence[int]) -> None:
        self.visual_vocabulary.release(suffix_ids)
        with self._lock:
            prefix.reference_count -= 1

    def _assign_ids(self, parts: Sequence[PromptPart]) -> list[int]:
        """Errors: ModelError for more visual tokens than a prompt may have."""
        if (tokens := count_tokens(parts)) > self.max_sequence_tokens:
            raise ModelError(f"{tokens} tokens are more than {self.max_sequence_tokens}")
        seen = [part for part in parts if isinstance(part, Tensor)]
        self._evict_prefixes(count_tokens(seen))
        ids = iter(self.visual_vocabulary.add(torch.cat(seen)) if seen else ())
        return [one for part in parts for one in (islice(ids, len(part)) if isinstance(part, Tensor) else part)]

    def _evict_prefixes(self, tokens: int) -> None:
        """Beginnings that were longest not asked for go, until there is room for so many visual tokens."""
        with self._lock:
            for key, kept in list(self._prefixes.items()):
                if self.visual_vocabulary.free_count >= tokens and len(self._prefixes) < _MAX_PREFIXES:
                    return
                if not kept.reference_count:
                    self.visual_vocabulary.release(self._prefixes.pop(key).ids)

    def _cache_tokens(self) -> int:
        """How many tokens there is room for: those of all prompts, and kept beginnings."""
        kept = min(self._cache_bytes // self._bytes_per_token(), _MAX_PREFIXES * self.max_sequence_tokens)
        return self._max_batch * self.max_sequence_tokens + kept + PAGE_TOKENS

    def _bytes_per_token(self) -> int:
        """What a kept token takes: keys and values, a column of the mask, an index, its row in the store."""
        words, size = self._checkpoint.model.config.text_config, self._checkpoint.dtype.itemsize
        head = getattr(words, "head_dim", None) or words.hidden_size // words.num_attention_heads
        kept = 2 * words.num_hidden_layers * words.num_key_value_heads * head
        return int(size * (kept + self._chunk_tokens + words.hidden_size) + 8)
