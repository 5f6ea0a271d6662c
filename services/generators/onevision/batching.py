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
from services.generators.onevision.batch_loop import PAGE, BatchLoop, Stopped
from services.generators.onevision.checkpoint import Checkpoint, twin
from services.generators.onevision.engine import Part, length
from services.generators.onevision.visuals import VisualStore

_KEPT_PROMPTS = 16


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is read before an answer: `shared`, which begins every prompt of this key, then `own`.

    Both are made when it is the prompt's turn, one prompt after the other; `shared` only where the key is new.
    """

    key: str
    shared: Callable[[], Sequence[Part]]
    own: Callable[[], Sequence[Part]]


@dataclass(slots=True)
class _Kept:
    ids: list[int]
    users: int = 0


class Batcher:
    """Decodes up to `parallel` prompts of a checkpoint together; others wait for their turn. For several threads.

    Each prompt has at most `longest` tokens, its answer included; less may be set, which the next loop goes by. `chunk`
    tokens are read in one step. Keys and values of shared beginnings stay, in about `cache_bytes` with all that a
    token of them takes; their visual tokens keep their ids as long as there is room. The checkpoint itself stays as it
    is; `Engine` and `Vision` work on beside the loop. An error in the loop reaches all who wait, and the next prompt
    starts a new loop.
    """

    def __init__(
        self, checkpoint: Checkpoint, parallel: int, longest: int, *, cache_bytes: int = 0, chunk: int = 1024
    ) -> None:
        self._checkpoint, self._parallel, self._chunk = twin(checkpoint), parallel, chunk
        self._cache_bytes, self.longest = cache_bytes, longest
        self.store = VisualStore(checkpoint.model.get_input_embeddings(), self._tokens())
        self._checkpoint.model.set_input_embeddings(self.store.embedding)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._turns = threading.Semaphore(parallel)
        self._making, self._lock = threading.Lock(), threading.Lock()
        self._loop: BatchLoop | None = None
        self._closed = False

    def write(self, prompt: Prompt, limit: int, ends: frozenset[int]) -> Iterator[int]:
        """The likeliest words, as they come, `limit` at most, until one of `ends`, which is not given.

        Closing the iterator ends the work on it. Errors: ModelError for a prompt that is too long, where the loop
        failed, and when closed; torch.OutOfMemoryError.
        """
        with self._turns:
            shared, own = self._made(prompt)
            try:
                yield from self._written([*shared.ids, *own], limit, ends)
            finally:
                self._leave(shared, own)

    def close(self) -> None:
        """End the loop, failing what it has not finished. Nothing is written afterwards."""
        with self._lock:
            self._closed = True
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()

    def _written(self, ids: Sequence[int], limit: int, ends: frozenset[int]) -> Iterator[int]:
        if len(ids) + limit > self.longest:
            raise ModelError(f"{len(ids)} tokens and {limit} of the answer are more than {self.longest}")
        loop, name = self._begun(ids, limit, ends)
        try:
            yield from (word for word in loop.words(name) if word not in ends)
        finally:
            loop.leave(name)

    def _begun(self, ids: Sequence[int], limit: int, ends: frozenset[int]) -> tuple[BatchLoop, str]:
        """The loop that has taken the prompt, and its name there. A loop that has failed is replaced."""
        with self._lock:
            if self._closed:
                raise ModelError("several questions at once: closed")
            if self._loop is not None:
                try:
                    return self._loop, self._loop.add(ids, limit, ends)
                except Stopped:
                    self._loop.stop()
                    self._loop = None
            self._loop = BatchLoop(self._checkpoint, self._parallel, self._chunk, self._tokens())
            return self._loop, self._loop.add(ids, limit, ends)

    def _made(self, prompt: Prompt) -> tuple[_Kept, list[int]]:
        """The ids of a prompt: of its beginning, which stay as they are for the next, and of the rest."""
        with self._making:
            shared = self._shared(prompt)
            try:
                return shared, self._ids(prompt.own())
            except BaseException:
                self._leave(shared, [])
                raise

    def _shared(self, prompt: Prompt) -> _Kept:
        with self._lock:
            kept = self._kept.get(prompt.key)
            if kept is not None:
                self._kept.move_to_end(prompt.key)
                kept.users += 1
                return kept
        made = _Kept(self._ids(prompt.shared()), 1)
        with self._lock:
            self._kept[prompt.key] = made
        return made

    def _leave(self, shared: _Kept, own: Sequence[int]) -> None:
        self.store.drop(own)
        with self._lock:
            shared.users -= 1

    def _ids(self, parts: Sequence[Part]) -> list[int]:
        """Errors: ModelError for more visual tokens than a prompt may have."""
        if (tokens := length(parts)) > self.longest:
            raise ModelError(f"{tokens} tokens are more than {self.longest}")
        seen = [part for part in parts if isinstance(part, Tensor)]
        self._make_room(length(seen))
        ids = iter(self.store.put(torch.cat(seen)) if seen else ())
        return [one for part in parts for one in (islice(ids, len(part)) if isinstance(part, Tensor) else part)]

    def _make_room(self, tokens: int) -> None:
        """Beginnings that were longest not asked for go, until there is room for so many visual tokens."""
        with self._lock:
            for key, kept in list(self._kept.items()):
                if self.store.free >= tokens and len(self._kept) < _KEPT_PROMPTS:
                    return
                if not kept.users:
                    self.store.drop(self._kept.pop(key).ids)

    def _tokens(self) -> int:
        """How many tokens there is room for: those of all prompts, and kept beginnings."""
        kept = min(self._cache_bytes // self._token_bytes(), _KEPT_PROMPTS * self.longest)
        return self._parallel * self.longest + kept + PAGE

    def _token_bytes(self) -> int:
        """What a kept token takes: keys and values, a column of the mask, an index, its row in the store."""
        words, size = self._checkpoint.model.config.text_config, self._checkpoint.dtype.itemsize
        head = getattr(words, "head_dim", None) or words.hidden_size // words.num_attention_heads
        kept = 2 * words.num_hidden_layers * words.num_key_value_heads * head
        return int(size * (kept + self._chunk + words.hidden_size) + 8)
