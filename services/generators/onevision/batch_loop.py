"""Continuous batching of transformers in a background thread: several prompts decoded together."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from indexer.errors import ModelError
from services.generators.onevision.checkpoint import OneVisionCheckpoint

PAGE_TOKENS = 32
"""Chosen: tokens of a block of keys and values; a prefix is shared in whole blocks, so larger ones share less."""
_POLL_S = 0.1
"""Chosen: how late the end of the loop is noticed; output itself is not delayed by it."""


class LoopStopped(Exception):
    """The loop accepts no more prompts."""


class BatchLoop:
    """Continuous batching loop that runs from construction to `stop`, an error in it, or the end of the program.

    It decodes at most `max_batch` prompts at once, `chunk_tokens` in one step, with keys and values of `cache_tokens`
    tokens: transformers' own choice would be most of the machine's memory, with a mask as large (decision 0026). The
    loop has the checkpoint's modules for itself. Attention stays SDPA.
    """

    def __init__(self, checkpoint: OneVisionCheckpoint, max_batch: int, chunk_tokens: int, cache_tokens: int) -> None:
        from transformers import ContinuousBatchingConfig, GenerationConfig

        batching = ContinuousBatchingConfig(
            page_size=PAGE_TOKENS,
            num_blocks=-(-cache_tokens // PAGE_TOKENS),
            max_batch_tokens=chunk_tokens,
            max_requests_per_batch=max_batch,
            max_blocks_per_request=0,
            use_async_batching=False,
            use_cuda_graph=False,
            auto_switch_to_flash=False,
        )
        configured: Any = GenerationConfig
        greedy = configured(do_sample=False, eos_token_id=-1, pad_token_id=0)
        self._manager = checkpoint.model.init_continuous_batching(greedy, batching)
        self._inboxes: dict[str, queue.Queue[Any]] = {}
        self._lock = threading.Lock()
        self._request_count = 0
        self._stopped = False
        self._manager.start()
        self._router = threading.Thread(target=self._route_outputs, name="afterimage-batch-post", daemon=True)
        self._router.start()

    def add(self, ids: Sequence[int], max_output_tokens: int, stop_ids: frozenset[int]) -> str:
        """Submit a prompt; return its request id. Errors: LoopStopped."""
        with self._lock:
            request_id = f"prompt-{self._request_count}"
            self._request_count += 1
            self._inboxes[request_id] = queue.Queue()
        accepted_id = self._manager.add_request(
            list(ids), request_id, max_new_tokens=max_output_tokens, streaming=True, eos_token_id=sorted(stop_ids)
        )
        if accepted_id is None:
            self._remove_inbox(request_id)
            raise LoopStopped
        return request_id

    def stream_tokens(self, request_id: str) -> Iterator[int]:
        """Yield the ids generated for a prompt as they come.

        Errors: ModelError where the loop ended before the prompt did; torch.OutOfMemoryError where that was the reason.
        """
        offset = 0
        while True:
            out = self._next_output(request_id)
            if out.error is not None:
                raise _to_error(out.error)
            yield from out.generated_tokens[offset:]
            offset = len(out.generated_tokens)
            if out.is_finished():
                return

    def cancel(self, request_id: str) -> None:
        """Stop generating for a prompt and discard its output."""
        if self._remove_inbox(request_id):
            self._manager.cancel_request(request_id)

    def stop(self) -> None:
        """Stop the loop and wait for its threads; prompts that are not finished fail."""
        with self._lock:
            was_stopped, self._stopped = self._stopped, True
        if not was_stopped:
            self._manager.stop(block=True, hard_stop=True)
        self._router.join()

    def _next_output(self, request_id: str) -> Any:  # noqa: ANN401 - transformers' GenerationOutput
        """Wait for the next output of a prompt. Errors: as those of `stream_tokens`."""
        inbox = self._inboxes[request_id]
        while True:
            try:
                return inbox.get(timeout=_POLL_S)
            except queue.Empty:
                if not self._router.is_alive() and inbox.empty():
                    raise self._end_error() from None

    def _route_outputs(self) -> None:
        """Deliver outputs to the inboxes of their prompts until the loop has ended and all are delivered."""
        status = self._manager.background_thread_status
        while True:
            running = status.local_status != status.STOPPED
            out = self._manager.get_result(timeout=_POLL_S)
            if out is not None:
                with self._lock:
                    inbox = self._inboxes.get(out.request_id)
                if inbox is not None:
                    inbox.put(out)
            elif not running:
                return
            elif not threading.main_thread().is_alive():
                self._manager.stop(block=False, hard_stop=True)

    def _remove_inbox(self, request_id: str) -> bool:
        """Remove the inbox of a prompt; return False where it is gone already."""
        with self._lock:
            return self._inboxes.pop(request_id, None) is not None

    def _end_error(self) -> Exception:
        """Return the error for prompts that outlive the loop."""
        fatal = self._manager.background_thread_status.fatal_error
        return _to_error("it was ended" if fatal is None else str(fatal))


def _to_error(message: str) -> Exception:
    """Return the exception for an error message of the loop."""
    if "out of memory" in message:
        return torch.OutOfMemoryError(message)
    return ModelError(f"several questions at once: the loop that decodes them failed: {message}")
